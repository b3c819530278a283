package debugpage

// Cleared is what the page says of a token.
var Cleared = cleared
