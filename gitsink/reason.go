package gitsink

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/internal/quote"
	"github.com/kubescribe/kubescribe/orphan"
)

// The reasons that Reason gives, as the conditions of Kubernetes have them: stable words in
// CamelCase for programs, alerts and runbooks.
const (
	ReasonCredentialsMissing = "CredentialsMissing" // ErrNoCredentials
	ReasonUnauthorized       = "Unauthorized"       // ErrAuth
	ReasonPlainText          = "PlainText"          // ErrPlainText
	ReasonBranchProtected    = "BranchProtected"    // ErrProtected
	ReasonPushRejected       = "PushRejected"       // ErrRejected
	ReasonServerRefused      = "ServerRefused"      // ErrRefused
	ReasonNotUnderstood      = "NotUnderstood"      // ErrProtocol
	ReasonUnsupported        = "Unsupported"        // ErrUnsupported
	ReasonRepositoryNotFound = "RepositoryNotFound" // ErrNotFound
	ReasonPathInvalid        = "PathInvalid"        // ErrPath
	ReasonFolderOwned        = "FolderOwned"        // ErrOwned
	ReasonFolderNotAdopted   = "FolderNotAdopted"   // ErrUnadopted
	ReasonTooLarge           = "TooLarge"           // ErrTooLarge
	ReasonServerUnavailable  = "ServerUnavailable"  // ErrUnavailable
	ReasonBranchMoving       = "BranchMoving"       // ErrConflict
	ReasonOutcomeUnknown     = "OutcomeUnknown"     // ErrUnknown
	ReasonLocalNotAllowed    = "LocalNotAllowed"    // destination.ErrLocalNotAllowed
	ReasonInvalid            = "Invalid"            // a destination or its options are faulty
	ReasonInterrupted        = "Interrupted"        // the context of the caller has ended
	ReasonFailed             = "Failed"             // any other error
)

// reasonOf has the reason for each class of failure. An error may match several: the first counts.
// What may be over by the next try comes first, since it decides what Error.Is says, too.
var reasonOf = []struct {
	class  error
	reason string
}{
	{ErrUnavailable, ReasonServerUnavailable},
	{ErrConflict, ReasonBranchMoving},
	{ErrUnknown, ReasonOutcomeUnknown},
	{ErrNoCredentials, ReasonCredentialsMissing},
	{ErrAuth, ReasonUnauthorized},
	{ErrPlainText, ReasonPlainText},
	{ErrProtected, ReasonBranchProtected},
	{ErrRejected, ReasonPushRejected},
	{ErrRefused, ReasonServerRefused},
	{ErrProtocol, ReasonNotUnderstood},
	{ErrUnsupported, ReasonUnsupported},
	{ErrNotFound, ReasonRepositoryNotFound},
	{ErrPath, ReasonPathInvalid},
	{ErrOwned, ReasonFolderOwned},
	{ErrUnadopted, ReasonFolderNotAdopted},
	{ErrTooLarge, ReasonTooLarge},
	{destination.ErrLocalNotAllowed, ReasonLocalNotAllowed},
	{destination.ErrInvalid, ReasonInvalid},
	{destination.ErrOverlap, ReasonInvalid},
	{destination.ErrBranchNotAllowed, ReasonInvalid},
	{destination.ErrNamespaceNotAllowed, ReasonInvalid},
	{destination.ErrUnknownRepository, ReasonInvalid},
	{orphan.ErrInvalid, ReasonInvalid},
	{context.Canceled, ReasonInterrupted},
	{context.DeadlineExceeded, ReasonInterrupted},
}

// Reason returns why something failed, as one of the words above; "" for nil. It is the reason of a
// condition, as apimachinery's ReasonForError is: the error has what was said.
func Reason(err error) string {
	if err == nil {
		return ""
	}
	for _, r := range reasonOf {
		if errors.Is(err, r.class) {
			return r.reason
		}
	}
	return ReasonFailed
}

// Brief returns an error as one line for a list whose rows name the destination: that and its URL
// are left out, and nothing is said twice. It is at most 1 KiB long. The error itself has the rest.
func Brief(err error) string {
	if err == nil {
		return ""
	}
	var text string
	if of := (*Error)(nil); !errors.As(err, &of) {
		text = err.Error()
	} else {
		text = of.Op + ": " + of.Err.Error()
		if words := quote.Words(of.Server); words != "" && !strings.Contains(text, words) {
			text += " (server: " + words + ")"
		}
	}
	text = strings.ReplaceAll(quote.Line(text), "gitsink: ", "")
	return quote.Cut(text, maxBrief)
}

// maxBrief is the length of what Brief returns, in bytes.
const maxBrief = 1 << 10

// Reasons returns all that Reason may return of an error, each once.
func Reasons() []string {
	all := []string{ReasonFailed}
	for _, r := range reasonOf {
		if !slices.Contains(all, r.reason) {
			all = append(all, r.reason)
		}
	}
	return all
}
