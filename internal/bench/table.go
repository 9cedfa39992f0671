package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// markdown is a table with aligned columns, numbers to the right. The first line of cells is the heading.
func markdown(cells [][]string) string {
	widths, names := make([]int, len(cells[0])), make([]bool, len(cells[0]))
	for n, line := range cells {
		for i, cell := range line {
			widths[i] = max(widths[i], len(cell))
			_, err := strconv.ParseFloat(cell, 64)
			names[i] = names[i] || n > 0 && cell != "" && err != nil
		}
	}
	var b strings.Builder
	for n, line := range cells {
		for i, cell := range line {
			if names[i] {
				fmt.Fprintf(&b, "| %-*s ", widths[i], cell)
			} else {
				fmt.Fprintf(&b, "| %*s ", widths[i], cell)
			}
		}
		b.WriteString("|\n")
		if n > 0 {
			continue
		}
		for i, width := range widths {
			rule := strings.Repeat("-", width+2)
			if !names[i] {
				rule = rule[1:] + ":"
			}
			b.WriteString("|" + rule)
		}
		b.WriteString("|\n")
	}
	return b.String()
}

// known is empty for what does not apply.
func known(format string, value float64) string {
	if value == 0 {
		return ""
	}
	return fmt.Sprintf(format, value)
}

// median is the lower one of two in the middle.
func median(durations []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(durations))[(len(durations)-1)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
func megabytes(bytes int64) float64        { return float64(bytes) / 1e6 }
