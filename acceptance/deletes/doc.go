// Package deletes tests deletes of keys and clears of tags against the public API: that
// they take away what they name and nothing else, in transactions, on other servers, and
// under every option that keeps a value or brings one back.
package deletes
