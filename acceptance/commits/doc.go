// Package commits shows what a commit tells the authority and when: the fence, its
// renewals, the clear or the lift, and what it does when the outcome is in doubt,
// when the authority cannot be reached, and when the caller's context ends.
package commits
