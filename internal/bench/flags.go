package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// common are the flags that every command has.
type common struct{ json, smoke bool }

// flags is the set of a command's flags, with those in it that every command has.
func (c *common) flags(command string, stderr io.Writer) *flag.FlagSet {
	flags := flag.NewFlagSet("bench "+command, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.BoolVar(&c.json, "json", false, "print one JSON object a row")
	flags.BoolVar(&c.smoke, "smoke", false, "measure the smallest sizes, without bars, within seconds; overrides sizes and rounds")
	return flags
}

// guest is a system of somebody else's, measured beside the others: a program that speaks a
// worker's language.
type guest struct{ name, program string }

// guests are the systems that are not built into the program, in order.
type guests []guest

// flag adds the flag that names them.
func (g *guests) flag(flags *flag.FlagSet) {
	flags.Func("with", "one more system, as `NAME=PROGRAM`; may be repeated; see the package comment", func(value string) error {
		name, program, _ := strings.Cut(value, "=")
		if name == "" || !filepath.IsAbs(program) {
			return fmt.Errorf("%q: want a name, =, and the absolute path of a program", value)
		}
		*g = append(*g, guest{name, program})
		return nil
	})
}

// program is that of a system; "": it is built into this one.
func (g guests) program(name string) string {
	for _, each := range g {
		if each.name == name {
			return each.program
		}
	}
	return ""
}

// beside returns systems and all guests.
func (g guests) beside(systems ...string) []string {
	for _, each := range g {
		systems = append(systems, each.name)
	}
	return systems
}

// ascending reads positive numbers with commas between them.
func ascending(name, value string) ([]int, error) {
	var numbers []int
	for field := range strings.SplitSeq(value, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 || len(numbers) > 0 && n <= numbers[len(numbers)-1] {
			return nil, fmt.Errorf("-%s %q: want positive numbers, ascending", name, value)
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

// positive checks flags.
func positive(flags map[string]int) error {
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		if flags[name] < 1 {
			return fmt.Errorf("-%s %d: want at least 1", name, flags[name])
		}
	}
	return nil
}

// printer prints progress, one line a call.
func printer(w io.Writer) func(format string, values ...any) {
	return func(format string, values ...any) { _, _ = fmt.Fprintf(w, format+"\n", values...) }
}

// writeJSON writes one object a row.
func writeJSON[R any](w io.Writer, rows []R) error {
	out := json.NewEncoder(w)
	for _, r := range rows {
		if err := out.Encode(r); err != nil {
			return err
		}
	}
	return nil
}
