// Package typestest sends values of the types that services cache through the
// public API, from one process to another. It is a module of its own, so that no
// user of txcache gets the modules in which these types are.
package typestest
