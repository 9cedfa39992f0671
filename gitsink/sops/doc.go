// Package sops encrypts Secrets on their way into Git, in the format of SOPS and with age, without
// SOPS: it depends on filippo.io/age and the standard library beside kubescribe itself.
//
// An [Encryptor] is an event.Encryptor for gitsink.WriterOptions. What it writes, the sops command
// decrypts and edits, and Flux applies. A [Keyring] says for whom: recipients, or a .sops.yaml.
//
//	identities, err := sops.IdentitiesFromSecret(secret.Data) // as Flux keeps them
//	ring, err := sops.NewKeyring(sops.Keys{Recipients: recipients, Identities: identities})
//	encryptor, err := sops.New(&sops.Options{Keyring: ring})
//
// It is a module of its own: whoever encrypts by other means does not draw age.
//
// # What is hidden
//
// Of a core Secret data and stringData. Of any other object that is sensitive the fields that its
// rule names, and without any all but apiVersion, kind and metadata. SOPS knows what is encrypted
// by the keys on the way to a value, wherever they stand, so more may be hidden than was asked for:
// a label called "data" as well. The names of keys stay readable, as do null, empty text and
// how long a value is. A regular expression of a .sops.yaml that hides too little is widened. What
// cannot be hidden is refused with ErrExposed.
//
// # What stays
//
// A changed value is one changed line, beside that of the MAC and that of the time: values that did
// not change keep their ciphertext. A label may be edited by hand, since the MAC leaves out what is
// readable unless the .sops.yaml says mac_only_encrypted: false. A file that SOPS has written anew
// with the same content is the same. An edit of a value is made good, like that of any other file.
//
// A file is encrypted anew as a whole, with a new data key, when its recipients have changed (who
// was one knows the data key), when somebody else has made its data key, and, with public keys
// only, whenever the object changes.
//
// # With public keys only
//
// A cluster need not be able to read what it has written. Without an identity a stored file is
// compared by the digest in its first line: an HMAC under Keys.DigestKey. Without either NewKeyring
// refuses: each restart would write each Secret anew.
//
// # What is refused
//
// A stored file that is no SOPS file, or is damaged, or that no identity opens, is refused with
// ErrStored, and the last with ErrRecipient, too. The file stays as it is, the object is left out
// of the commit and reported, its neighbours are written, and it is tried again. To mend it, add
// the identity that opens it, put it right, or remove it from the branch: Git keeps it. With public
// keys only a file for other recipients is refused; one for a recipient of today is written anew.
//
// # Limits
//
// A stored file has at most 16 MiB, 64 recipients and 100 levels. YAML's anchors, aliases and tags
// are refused. Recipients are those of X25519: neither SSH nor post-quantum keys, nor plugins, nor
// other services for keys. The MAC of SOPS does not cover the list of recipients: whoever writes to
// the repository can damage the entry of another reader, which only that reader notices.
//
// # Concurrency
//
// All types may be used concurrently. A Keyring never changes; KeyringFor returns another one when
// the keys have changed.
package sops
