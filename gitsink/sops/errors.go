package sops

import "errors"

// The errors of this package match one of these. Each error names the object's file and the field
// that is at fault. None has a part of a content, of a key or of a stored file in it.
var (
	// ErrKeys is matched by the error for keys that cannot be used: a recipient or an identity that
	// is none, a .sops.yaml with a faulty rule, nothing that could compare a stored file.
	ErrKeys = errors.New("sops: the keys cannot be used")
	// ErrNoKeys is matched by the error for a file that has no keys: KeyringFor knows no Keyring
	// for its destination, or no rule of the .sops.yaml matches its path.
	ErrNoKeys = errors.New("sops: there are no keys for this file")
	// ErrStored is matched by the error for a stored file that cannot be read: it is no SOPS file,
	// or it is damaged. It stays as it is until somebody removes it or puts it right.
	ErrStored = errors.New("sops: the stored file cannot be read")
	// ErrRecipient is matched by the error for a stored file that none of the identities opens. It
	// stays as it is until one does, or somebody removes it. Such an error matches ErrStored, too.
	ErrRecipient = errors.New("sops: the stored file is for another recipient")
	// ErrContent is matched by the error for an object that cannot be written as a SOPS file.
	ErrContent = errors.New("sops: the object cannot be a SOPS file")
	// ErrExposed is matched by the error for an object of which something would stay readable that
	// has to be hidden.
	ErrExposed = errors.New("sops: a field would not be hidden")
)
