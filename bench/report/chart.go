package report

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/seed-dad15c92/txcache/bench/measure"
)

// The colours of a chart. It has a ground of its own, so that it can be read on
// a light page and on a dark one. The two of bars can be told apart by whoever
// does not see red or green (Okabe and Ito, "Color Universal Design", 2008).
var (
	ground = color.White
	ink    = color.RGBA{0x24, 0x29, 0x2f, 0xff}
	faint  = color.RGBA{0xd0, 0xd7, 0xde, 0xff}
	less   = color.RGBA{0x00, 0x72, 0xb2, 0xff} // blue: txcache takes less
	more   = color.RGBA{0xe6, 0x9f, 0x00, 0xff} // orange: it takes more
)

// The measures of a chart.
const (
	chartWidth = 32 * vg.Centimeter
	rowHeight  = 0.62 * vg.Centimeter
	margins    = 3 * vg.Centimeter
	labelSize  = vg.Length(10)
)

// Chart returns an SVG of the ratios of results, a bar each, from 1 to the
// median, with the quartiles, on a logarithmic axis.
func Chart(title string, results []*measure.Result) ([]byte, error) {
	return svgOf(plotOf(title, results), len(results))
}

// svgOf draws a plot of so many rows.
func svgOf(p *plot.Plot, rows int) ([]byte, error) {
	canvas := vgsvg.NewWith(vgsvg.UseWH(chartWidth, margins+vg.Length(rows)*rowHeight))
	const edge = 2 * vg.Millimeter
	all := draw.New(canvas)
	all.SetColor(ground)
	all.Fill(all.Rectangle.Path())
	p.Draw(draw.Crop(all, edge, -edge, edge, -edge))
	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		return nil, err
	}
	// The font of the library is on few machines; any without serifs will do.
	return bytes.ReplaceAll(svg.Bytes(), []byte("font-family:Liberation Sans"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif")), nil
}

// newPlot returns a plot with the names of its rows, the first of which is at the top.
func newPlot(title, axis string, names []string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = ground
	p.Title.Text = title
	p.Title.Padding = 3 * vg.Millimeter
	p.X.Label.Text = axis
	p.X.Label.Padding = 2 * vg.Millimeter
	for _, s := range []*text.Style{&p.Title.TextStyle, &p.X.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label} {
		s.Color, s.Font = ink, face(labelSize)
	}
	p.Title.TextStyle.Font = face(labelSize + 3)
	p.X.LineStyle.Color, p.Y.LineStyle.Color = ink, ink
	p.X.Tick.LineStyle.Color = ink
	names = slices.Clone(names)
	slices.Reverse(names)
	p.NominalY(names...)
	p.Y.Min, p.Y.Max = -0.7, float64(len(names))-0.3
	return p
}

func plotOf(title string, results []*measure.Result) *plot.Plot {
	several := slices.ContainsFunc(results, func(r *measure.Result) bool { return r.Subject.Name != results[0].Subject.Name })
	names := make([]string, len(results))
	for i, r := range results {
		name := r.Title() + " – "
		if several {
			name += strings.TrimPrefix(r.Subject.Name, "txcache, ") + " / "
		}
		names[i] = name + r.Peer.Name
	}
	p := newPlot(title, "txcache's as a multiple of the other's: left of 1, txcache takes less", names)
	p.X.Scale = plot.LogScale{}
	p.Add(ratios(results))
	p.X.Min, p.X.Max = bounds(results)
	p.X.Tick.Marker = plot.ConstantTicks(ticks(p.X.Min, p.X.Max))
	return p
}

// drawBar draws a bar of a row with its quartiles.
func drawBar(c draw.Canvas, colour color.Color, y, thick, from, to, low, high vg.Length) {
	top, bottom := y+thick*0.32, y-thick*0.32
	c.FillPolygon(colour, []vg.Point{{X: from, Y: bottom}, {X: to, Y: bottom}, {X: to, Y: top}, {X: from, Y: top}})
	whisker := draw.LineStyle{Color: ink, Width: vg.Points(1)}
	c.StrokeLine2(whisker, low, y, high, y)
	for _, x := range []vg.Length{low, high} {
		c.StrokeLine2(whisker, x, y-thick*0.15, x, y+thick*0.15)
	}
}

func labelStyle() text.Style {
	return text.Style{Color: ink, Font: face(labelSize), Handler: plot.DefaultTextHandler, YAlign: text.YCenter, XAlign: text.XLeft}
}

func face(size vg.Length) font.Font {
	return font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, size)
}

// bounds returns the ends of an axis that has room for the ratios, 1 and the
// figures beside the bars.
func bounds(results []*measure.Result) (low, high float64) {
	low, high = 0.5, 2
	for _, r := range results {
		low, high = min(low, r.Ratio.Low), max(high, r.Ratio.High)
	}
	room := math.Pow(high/low, 0.2)
	return low / room, high * room
}

// ticks returns the marks of an axis: 1, 2 and 5 of each power of ten, or 1
// alone where these would be many.
func ticks(low, high float64) []plot.Tick {
	steps := []float64{1, 2, 5}
	if high/low > 1e3 {
		steps = steps[:1]
	}
	var all []plot.Tick
	for power := math.Floor(math.Log10(low)); power <= math.Log10(high); power++ {
		for _, step := range steps {
			if x := step * math.Pow(10, power); x >= low && x <= high {
				all = append(all, plot.Tick{Value: x, Label: fmt.Sprintf("%.4g", x)})
			}
		}
	}
	return all
}

// ratios draws the bars. The bar charts of the library begin at 0, which is not
// on a logarithmic axis.
type ratios []*measure.Result

// Plot implements plot.Plotter.
func (all ratios) Plot(c draw.Canvas, p *plot.Plot) {
	atX, atY := p.Transforms(&c)
	for _, tick := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
		colour, width := color.Color(faint), vg.Points(0.5)
		if tick.Value == 1 {
			colour, width = ink, vg.Points(1)
		}
		x := atX(tick.Value)
		c.StrokeLine2(draw.LineStyle{Color: colour, Width: width}, x, c.Min.Y, x, c.Max.Y)
	}
	thick := atY(1) - atY(0)
	label := labelStyle()
	for i, r := range all {
		y := atY(float64(len(all) - 1 - i))
		colour := less
		if r.Ratio.Median > 1 {
			colour = more
		}
		one, end := atX(1), atX(r.Ratio.Median)
		low, high := atX(r.Ratio.Low), atX(r.Ratio.High)
		drawBar(c, colour, y, thick, one, end, low, high)
		label.XAlign = text.XLeft
		at := max(high, one) + vg.Millimeter*1.5
		if r.Ratio.Median < 1 {
			label.XAlign = text.XRight
			at = min(low, one) - vg.Millimeter*1.5
		}
		c.FillText(label, vg.Point{X: at, Y: y}, number(r.Ratio.Median))
	}
}
