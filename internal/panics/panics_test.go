package panics_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/internal/panics"
)

func TestErrorTellsTheRuntimesWordsAndNobodyElses(t *testing.T) {
	const content = "password: hunter2"
	recovered := func(f func()) (err error) {
		defer func() { err = panics.Error(recover()) }()
		f()
		return nil
	}
	var list []int
	require.ErrorContains(t, recovered(func() { _ = list[len(content)] }), "index out of range [17]")
	for name, value := range map[string]any{
		"string": content, "error": errors.New(content), "wrapped": fmt.Errorf("x: %w", errors.New(content)),
		"bytes": []byte(content), "stringer": stringer(content),
	} {
		t.Run(name, func(t *testing.T) {
			err := recovered(func() { panic(value) })
			require.ErrorContains(t, err, fmt.Sprintf("%T", value))
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), "hunter2")
		})
	}
}

type stringer string

func (s stringer) String() string { return string(s) }
