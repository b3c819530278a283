package debugpage

// A page is what the template of the page gets.
type page struct {
	*document
	Question *question
	Results  []result
}
