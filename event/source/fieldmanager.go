package source

import (
	"context"
	"strings"
	"time"
	"unicode"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

// maxTraceAge is the time that may lie between a change and its arrival: a watch that was cut
// delivers late, and clocks differ. What is older is the trace of an earlier change.
const maxTraceAge = 5 * time.Minute

// FieldManager is an Options.Attribute that reads managedFields. The author of a change is the
// field manager with the newest entry, and the time is that entry's. Entries of subresources
// (status, scale) do not count. The manager "kubectl-edit" becomes kubectl-edit
// <kubectl-edit@field-manager.invalid>: a manager is a program and no person, and no host can take
// the address for somebody's.
//
// The author is empty where managedFields do not tell it:
//   - of a delete;
//   - of a change if two managers have entries of the same second, which is all the precision;
//   - of a change that left no entry, as when a manager takes its only field away. The newest entry
//     is more than 5 minutes old then; if it is younger, the guess is the manager before;
//   - of an object that was found by a listing.
func FieldManager(_ context.Context, obj *unstructured.Unstructured, op event.Operation) event.Author {
	if obj == nil || op == event.Delete {
		return event.Author{}
	}
	names, when := ruleset.LastManagers(obj)
	if len(names) != 1 || time.Since(when) > maxTraceAge {
		return event.Author{}
	}
	name := strings.TrimSpace(strings.Map(printable, names[0]))
	if name == "" {
		return event.Author{}
	}
	return event.Author{Name: name, Email: strings.Map(mailbox, name) + "@field-manager.invalid", When: when}
}

// printable drops what cannot be part of a name in a Git signature.
func printable(r rune) rune {
	if r == '<' || r == '>' || !unicode.IsPrint(r) {
		return -1
	}
	return r
}

// mailbox writes a name as the local part of an address.
func mailbox(r rune) rune {
	if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_.+", r)) {
		return r
	}
	return '-'
}
