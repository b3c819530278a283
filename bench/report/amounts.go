package report

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/seed-dad15c92/txcache/bench/measure"
)

// An Amount is a row of a chart that begins at 0.
type Amount struct {
	Name   string
	Spread measure.Spread
	Label  string // behind the bar
	Warns  bool   // the bar has the other colour
}

// Amounts returns an SVG of amounts, a bar each, from 0 to the median, with the quartiles.
func Amounts(title, axis string, all []Amount) ([]byte, error) {
	names := make([]string, len(all))
	most := 0.0
	for i, a := range all {
		names[i], most = a.Name, max(most, a.Spread.High)
	}
	p := newPlot(title, axis, names)
	p.Add(amounts(all))
	p.X.Min, p.X.Max = 0, most*1.4  // with room for the labels
	p.Y.Padding = 8 * vg.Millimeter // as another font may be wider than the one that was measured
	return svgOf(p, len(all))
}

type amounts []Amount

// Plot implements plot.Plotter.
func (all amounts) Plot(c draw.Canvas, p *plot.Plot) {
	atX, atY := p.Transforms(&c)
	for _, tick := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
		if !tick.IsMinor() {
			x := atX(tick.Value)
			c.StrokeLine2(draw.LineStyle{Color: faint, Width: vg.Points(0.5)}, x, c.Min.Y, x, c.Max.Y)
		}
	}
	thick := atY(1) - atY(0)
	label := labelStyle()
	for i, a := range all {
		y, colour := atY(float64(len(all)-1-i)), less
		if a.Warns {
			colour = more
		}
		high := atX(a.Spread.High)
		drawBar(c, colour, y, thick, atX(0), atX(a.Spread.Median), atX(a.Spread.Low), high)
		c.FillText(label, vg.Point{X: high + vg.Millimeter*1.5, Y: y}, a.Label)
	}
}
