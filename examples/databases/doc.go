// Package databases has tests of the shops in its folders: the same shop over each library that
// docs/databases.md is about.
package databases
