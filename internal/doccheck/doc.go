// Package doccheck holds the pages of the repository to what is true: its tests
// look at every Markdown file and at the package comment.
//
//   - A link to a file of the repository leads to one, and to a heading of it if
//     it says so; a link to elsewhere is https.
//   - A block of Go is a file, declarations or statements that compile. In
//     statements, a line that is nothing but "..." stands for whatever is left
//     out. What a page takes for granted (ctx, db, a type User) is declared in
//     testdata, in a file named for the page: docs_loading.go for
//     docs/loading.md. Packages that a block names need no import.
//   - A block of TOML is a configuration.
//   - A block of shell is commands, from the root; what go is told to run, and the
//     folders it is told to go to, are there.
//   - docs/metrics.md lists the message of each log record, and no other.
//   - docs/README.md, the index, has one link to each page below docs.
//   - Each sentence of README.md, doc.go and the pages that have a list in testdata/promises
//     stands there, with the tests that hold it, or as no promise. A sentence that is
//     changed or added must be listed anew.
//   - The models in docs/model do what their page says: each run that must hold holds,
//     each rule that is taken out is missed, and the code that is named for a step is there.
//     This needs Spin and gcc, and takes a minute or two.
//
// A comment right before a block says more about it:
//
//	<!-- doccheck: quotes examples/backend/backend.go -->   it is a part of that file, to the letter
//	<!-- doccheck: output -->                               it is what the shell block before it prints; those of a page run in their order
//	<!-- doccheck: under cache.redis -->                    it is keys of that table
//
// Run it with go test -count=1: the test cache does not see that a file outside of
// this module has changed.
package doccheck
