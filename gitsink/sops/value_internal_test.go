package sops

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAValueThatSOPSWouldNotWriteIsNotRead(t *testing.T) {
	t.Parallel()
	aead, err := newAEAD(make([]byte, keySize))
	require.NoError(t, err)
	good := seal(aead, []byte("abcd"), typeString, "data:a:")
	text, kind, err := unseal(aead, good, "data:a:")
	require.NoError(t, err)
	require.Equal(t, "abcd str", string(text)+" "+kind)

	_, rest, _ := strings.Cut(good, beforeNonce)
	nonce, _, _ := strings.Cut(rest, beforeTag)
	spare := good[:strings.Index(good, "=,")-1] // its last character has bits that say nothing
	for name, value := range map[string]string{
		"nothing that is encrypted": seal(aead, nil, typeString, "data:a:"),
		"spare bits":                spare[:len(spare)-1] + string(spare[len(spare)-1]+1) + good[len(spare):],
		"a line break":              strings.Replace(good, beforeNonce, "\n"+beforeNonce, 1),
		"a short nonce":             strings.Replace(good, nonce, nonce[:16], 1),
		"no nonce":                  strings.Replace(good, nonce, "", 1),
		"no type":                   strings.Replace(good, beforeType, ",kind:", 1),
		"no end":                    strings.TrimSuffix(good, atEnd),
		"no beginning":              strings.TrimPrefix(good, "ENC["),
		"something behind":          good + " ",
	} {
		_, _, err := unseal(aead, value, "data:a:")
		require.ErrorIs(t, err, errForm, name)
	}
	_, _, err = unseal(aead, good, "data:b:")
	require.ErrorIs(t, err, errOpen)
	_, err = leafOf([]byte("x"), "bytes")
	require.ErrorIs(t, err, errForm)
	_, err = leafOf([]byte("NaN"), typeFloat)
	require.ErrorIs(t, err, errForm)
}
