package source

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonStream reads JSON as it arrives.
type jsonStream struct {
	*jsontext.Decoder
	bound *bounded
}

// decoders are used again, since each has a buffer that has grown to the size of an object.
var decoders = sync.Pool{New: func() any { return new(jsontext.Decoder) }}

func newJSONStream(from io.Reader) jsonStream {
	s := jsonStream{decoders.Get().(*jsontext.Decoder), &bounded{from: from, left: maxObject}}
	s.Reset(s.bound, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	return s
}

// end gives the decoder back. The stream must not be used any more.
func (s jsonStream) end() {
	s.Reset(nothing{})
	decoders.Put(s.Decoder)
}

// nothing is what a decoder reads that nobody uses.
type nothing struct{}

// Read implements io.Reader.
func (nothing) Read([]byte) (int, error) { return 0, io.EOF }

// errShape is the error for JSON of another shape than it has to have.
var errShape = errors.New("it is not of the shape that was asked for")

// members reads an object. f reads the value of each member.
func (s jsonStream) members(f func(name string) error) error {
	if err := s.open('{'); err != nil {
		return err
	}
	for s.PeekKind() == '"' {
		name, err := s.ReadToken()
		if err != nil {
			return readError(err)
		}
		if err := f(name.String()); err != nil {
			return err
		}
		s.renew()
	}
	_, err := s.ReadToken()
	return readError(err)
}

// renew allows for another object of the greatest size.
func (s jsonStream) renew() { s.bound.left = maxObject }

// open reads the token that begins an object or an array.
func (s jsonStream) open(kind jsontext.Kind) error {
	token, err := s.ReadToken()
	if err == nil && token.Kind() != kind {
		return errShape
	}
	return readError(err)
}

// text reads a string.
func (s jsonStream) text(to *string) error {
	token, err := s.ReadToken()
	if err != nil {
		return readError(err)
	}
	if token.Kind() != '"' {
		return errShape
	}
	*to = token.String()
	return nil
}

func (s jsonStream) skip() error { return readError(s.SkipValue()) }

// bounded reads no more than what is left, which is set anew for each object.
type bounded struct {
	from io.Reader
	left int
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, ErrTooLarge
	}
	n, err := b.from.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// The errors that stand in for what a decoder says, which may quote what it reads.
var (
	errBrokenJSON = errors.New("source: the API server's answer is no JSON")
	errBreaksOff  = errors.New("source: the API server's answer breaks off")
)

// readError returns an error of reading without the contents that it may quote.
func readError(err error) error {
	var syntax *jsontext.SyntacticError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrTooLarge):
		return ErrTooLarge
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errBreaksOff
	case errors.As(err, &syntax):
		return fmt.Errorf("%w, at byte %d", errBrokenJSON, syntax.ByteOffset)
	}
	return err
}
