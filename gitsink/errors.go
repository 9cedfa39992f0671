package gitsink

import (
	"errors"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/queue"
)

var (
	// permanent are the failures that stay until somebody acts: on the destination, its credentials or the server.
	permanent = []error{
		ErrAuth, ErrPlainText, ErrProtected, ErrRejected, ErrUnsupported, ErrNotFound, ErrPath, ErrOwned, ErrTooLarge,
		destination.ErrInvalid, destination.ErrLocalNotAllowed,
	}
	// passing are the failures that may be over by the next try, whatever else the error matches.
	passing = []error{ErrUnavailable, ErrConflict, ErrUnknown}
)

// Is makes an Error match queue.ErrPermanent if trying again cannot help: if its cause matches ErrAuth, ErrPlainText,
// ErrProtected, ErrRejected, ErrUnsupported, ErrNotFound, ErrPath, ErrOwned, ErrTooLarge, destination.ErrInvalid or
// destination.ErrLocalNotAllowed, and none of ErrUnavailable, ErrConflict and ErrUnknown. ErrRefused and ErrProtocol alone are neither: they are tried again with a
// backoff that grows, since nobody knows whether they pass. So is a Stray one.
func (e *Error) Is(target error) bool {
	return target == queue.ErrPermanent && !e.Stray && matches(e.Err, permanent) && !matches(e.Err, passing)
}

func matches(err error, targets []error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
