package gitsink

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/orphan"
)

func TestEachClassOfFailureHasItsReason(t *testing.T) {
	for class, want := range map[error]string{
		ErrAuth:                              "Unauthorized",
		ErrNoCredentials:                     "CredentialsMissing", // though it is an ErrAuth
		ErrPlainText:                         "PlainText",
		ErrProtected:                         "BranchProtected",
		ErrRejected:                          "PushRejected",
		ErrRefused:                           "ServerRefused",
		ErrProtocol:                          "NotUnderstood",
		ErrUnsupported:                       "Unsupported",
		ErrNotFound:                          "RepositoryNotFound",
		ErrPath:                              "PathInvalid",
		ErrOwned:                             "FolderOwned",
		ErrUnadopted:                         "FolderNotAdopted",
		ErrTooLarge:                          "TooLarge",
		ErrUnavailable:                       "ServerUnavailable",
		ErrConflict:                          "BranchMoving",
		ErrUnknown:                           "OutcomeUnknown",
		destination.ErrLocalNotAllowed:       "LocalNotAllowed",
		destination.ErrInvalid:               "Invalid",
		destination.ErrOverlap:               "Invalid",
		destination.ErrBranchNotAllowed:      "Invalid",
		destination.ErrNamespaceNotAllowed:   "Invalid",
		destination.ErrUnknownRepository:     "Invalid",
		orphan.ErrInvalid:                    "Invalid",
		context.Canceled:                     "Interrupted",
		context.DeadlineExceeded:             "Interrupted",
		errors.New("disk on fire"):           "Failed",
		errors.Join(ErrAuth, ErrUnavailable): "ServerUnavailable", // it is tried again
	} {
		require.Equal(t, want, Reason(class))
		require.Equal(t, want, Reason(&Error{Op: "push", Err: fmt.Errorf("wrapped: %w", class)}))
	}
	require.Empty(t, Reason(nil))
}

// A class that is new gets a reason here, or its failures are no more than "Failed".
func TestNoClassOfFailureIsWithoutReason(t *testing.T) {
	parsed, err := parser.ParseFile(token.NewFileSet(), "errors.go", nil, 0)
	require.NoError(t, err)
	classes := 0
	ast.Inspect(parsed, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Err") {
			classes++
		}
		return true
	})
	require.NotZero(t, classes)
	for _, r := range reasonOf {
		if strings.HasPrefix(r.class.Error(), "gitsink: ") {
			classes--
		}
	}
	require.Zero(t, classes)
}

func TestABriefErrorIsALineThatLeavesOutWhatAListNames(t *testing.T) {
	d := to("prod")
	err := fmt.Errorf("batch: %w", &Error{Op: "push", Destination: d, Err: fmt.Errorf("%w: pre-receive hook declined", ErrRejected), Server: "no YAML\nplease"})
	brief := Brief(err)
	require.Equal(t, "push: the server refused the push: pre-receive hook declined (server: no YAML; please)", brief)
	require.NotContains(t, brief, d.Repository)
	said := &Error{Op: "push", Destination: d, Err: fmt.Errorf("%w: no YAML please", ErrRejected), Server: "no YAML please"}
	require.Equal(t, 1, strings.Count(Brief(said), "no YAML please"), "nothing is said twice")
	require.LessOrEqual(t, len(Brief(errors.New(strings.Repeat("é", 5000)))), maxBrief)
	require.Equal(t, "ten; of them", Brief(errors.New("ten\nof them")))
	require.Empty(t, Brief(nil))
}
