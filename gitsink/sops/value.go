package sops

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"math"
	"strconv"
	"strings"
)

// What SOPS fixes of an encrypted value.
const (
	keySize   = 32
	nonceSize = 32 // not the usual 12
	tagSize   = 16
)

// The types of encrypted values that are read. Those of leaves are written.
const (
	typeString  = "str"
	typeInt     = "int"
	typeFloat   = "float"
	typeBool    = "bool"
	typeTime    = "time"
	typeComment = "comment"
)

// The parts of an encrypted value. SOPS does not look at what follows the bracket.
const (
	beforeData  = "ENC[AES256_GCM,data:"
	beforeNonce = ",iv:"
	beforeTag   = ",tag:"
	beforeType  = ",type:"
	atEnd       = "]"
)

var (
	errForm = errors.New("a value that is to be encrypted is not")
	errOpen = errors.New("a value cannot be decrypted: it was changed, or has another place")
)

// newAEAD returns the cipher of a data key.
func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithNonceSize(block, nonceSize)
}

// seal encrypts the text of a value. The additional data is its place.
func seal(aead cipher.AEAD, text []byte, kind, additional string) string {
	nonce := make([]byte, nonceSize)
	_, _ = rand.Read(nonce) // it never fails
	out := aead.Seal(nil, nonce, text, []byte(additional))
	data, tag := out[:len(out)-tagSize], out[len(out)-tagSize:]
	encode := base64.StdEncoding.AppendEncode
	b := make([]byte, 0, base64.StdEncoding.EncodedLen(len(out))+base64.StdEncoding.EncodedLen(nonceSize)+64)
	b = encode(append(b, beforeData...), data)
	b = encode(append(b, beforeNonce...), nonce)
	b = encode(append(b, beforeTag...), tag)
	return string(append(b, beforeType+kind+atEnd...))
}

// unseal returns the text and the type of an encrypted value.
func unseal(aead cipher.AEAD, value, additional string) (text []byte, kind string, err error) {
	var raw [3][]byte
	rest, ok := strings.CutPrefix(value, beforeData)
	for i, next := range []string{beforeNonce, beforeTag, beforeType} {
		part, more, found := strings.Cut(rest, next)
		if raw[i], err = base64.StdEncoding.Strict().DecodeString(part); !found || err != nil || strings.ContainsAny(part, "\r\n") {
			return nil, "", errForm
		}
		rest = more
	}
	kind, end := strings.CutSuffix(rest, atEnd)
	if !ok || !end {
		return nil, "", errForm
	}
	data, nonce, tag := raw[0], raw[1], raw[2]
	if len(data) == 0 || len(nonce) != nonceSize || len(tag) != tagSize {
		return nil, "", errForm
	}
	if text, err = aead.Open(nil, nonce, append(data, tag...), []byte(additional)); err != nil {
		return nil, "", errOpen
	}
	return text, kind, nil
}

// textOf returns the text of a leaf as SOPS encrypts it and adds it to the MAC, and its type.
func textOf(leaf any) (text []byte, kind string) {
	switch v := leaf.(type) {
	case string:
		return []byte(v), typeString
	case int64:
		return strconv.AppendInt(nil, v, 10), typeInt
	case float64:
		return strconv.AppendFloat(nil, v, 'f', -1, 64), typeFloat
	case bool:
		if v {
			return []byte("True"), typeBool
		}
		return []byte("False"), typeBool
	}
	return nil, ""
}

// leafOf is the reverse of textOf. A comment, which stands in a list like a value, is not one.
func leafOf(text []byte, kind string) (any, error) {
	switch kind {
	case typeString, typeTime:
		return string(text), nil
	case typeInt:
		return strconv.ParseInt(string(text), 10, 64)
	case typeFloat:
		f, err := strconv.ParseFloat(string(text), 64)
		if err == nil && (math.IsNaN(f) || math.IsInf(f, 0)) {
			return nil, errForm
		}
		return f, err
	case typeBool:
		return strconv.ParseBool(string(text))
	case typeComment:
		return comment{}, nil
	}
	return nil, errForm
}

// comment stands for a comment of SOPS, which is no part of the content.
type comment struct{}
