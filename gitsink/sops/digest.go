package sops

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"github.com/kubescribe/kubescribe/event"
)

// A file begins with a comment, which SOPS keeps when somebody edits the file. Where an identity of
// ours is a recipient, it has one digest:
//
//	# kubescribe: MARK
//
// MARK is of the data key and the recipients. It shows that the data key was made here and for
// these recipients. Without it, whoever may write to the repository could put a file there whose
// data key they know, and read what is encrypted with it afterwards. That includes a former
// recipient who brings an old data key back.
//
// Where there are public keys only, it has two:
//
//	# kubescribe: SEAL CONTENT
//
// SEAL is of the file below the comment. It shows that the file is as it was written here, whatever
// the object is like today. CONTENT is of the object, of how it was encrypted, for whom, and of the
// SEAL: where it is right, the file holds the object as it is today.
//
// All are HMACs, with the destination and the path in them: whoever reads the repository could
// guess a weak secret from a bare hash, and whoever writes to it could move a file. Whoever can
// forge one can read the file anyway (the key of a MARK is an identity of a recipient), or holds
// the DigestKey.
const digestPrefix = "# kubescribe: "

// digests are the digests of one file under one key.
type digests struct {
	key   []byte
	place string // the destination and the path
}

func digestsOf(p event.Plaintext, key []byte) digests {
	return digests{key, p.Destination.Ref.String() + "\x00" + p.Path}
}

// of returns the digest of some texts. The length before each keeps them apart.
func (d digests) of(texts ...string) string {
	h := hmac.New(sha256.New, d.key)
	for _, text := range append([]string{"kubescribe/sops", d.place}, texts...) {
		_ = binary.Write(h, binary.BigEndian, uint64(len(text)))
		_, _ = h.Write([]byte(text))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func (d digests) mark(dataKey []byte, r rule) string {
	return d.of("data key", string(dataKey), strings.Join(r.recipients(), ","))
}

func (d digests) seal(file []byte) string { return d.of("file", string(file)) }

func (d digests) content(p *plan, seal string) string {
	s := p.hider.scope
	return d.of("content", seal, string(p.Content), strings.Join(p.rule.recipients(), ","),
		s.EncryptedRegex, s.EncryptedSuffix, strconv.FormatBool(s.MACOnlyEncrypted))
}

// sign returns a file with its digests.
func (p *plan) sign(file, dataKey []byte) []byte {
	var line string
	if d := digestsOf(p.Plaintext, p.rule.signingKey()); p.rule.ours() {
		line = d.mark(dataKey, p.rule)
	} else {
		seal := d.seal(file)
		line = seal + " " + d.content(p, seal)
	}
	return append([]byte(digestPrefix+line+"\n"), file...)
}

// cutDigests returns the digests of a stored file, and the file below them.
func cutDigests(stored []byte) (first, second string, file []byte) {
	line, file, _ := bytes.Cut(stored, []byte("\n"))
	text, found := strings.CutPrefix(string(line), digestPrefix)
	if !found {
		return "", "", stored
	}
	first, second, _ = strings.Cut(text, " ")
	return first, second, file
}

// isOurs reports whether the data key of a stored file was made here for the recipients of today.
func (p *plan) isOurs(s *stored) bool {
	first, _, _ := cutDigests(p.Stored)
	return s.opened != nil && slices.Equal(s.meta.recipients(), p.rule.recipients()) &&
		slices.ContainsFunc(p.rule.marking, func(key []byte) bool {
			return hmac.Equal([]byte(first), []byte(digestsOf(p.Plaintext, key).mark(s.opened.key, p.rule)))
		})
}

// isSealed reports whether a stored file is as it was written here with public keys only, and
// whether it holds the object as it is today.
func (p *plan) isSealed() (sealed, current bool) {
	if len(p.rule.digestKey) == 0 {
		return false, false
	}
	seal, content, file := cutDigests(p.Stored)
	d := digestsOf(p.Plaintext, p.rule.digestKey)
	sealed = hmac.Equal([]byte(seal), []byte(d.seal(file)))
	return sealed, sealed && hmac.Equal([]byte(content), []byte(d.content(p, seal)))
}
