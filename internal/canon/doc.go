// Package canon gives cache keys and user contexts one canonical form each: the
// same in every process and release, and never the same for two that differ.
//
// [Keys] turns the keys of one cache into text, as Go's == tells them apart.
// [Context] freezes a user and the values around them, as reflect.DeepEqual
// tells them apart. Both work on the structure of values: no method of a user's
// type is ever called, and no memory address or hash seed enters a form.
//
// Where a form is a digest, it is SHA-256 in unpadded base64url; that two forms
// differ then rests on nobody having found a collision.
//
// # Encoding
//
// A value is encoded after a description of its type. Given the type, an
// encoding ends where it must (sizes are fixed, or come first), so nothing that
// follows it can be taken for a part of it. Types are described by import path,
// name and structure: renaming a type or a field, or moving one, makes other
// forms, and what was kept under the old ones is not found any more. Two types
// declared inside functions may share path, name and structure; a process
// accepts the one it meets first and treats values of the other as unstable.
package canon
