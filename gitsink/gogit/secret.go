package gogit

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// AuthFromSecret reads the data of a Kubernetes Secret with the key names that are in use: those of the types
// kubernetes.io/basic-auth (username, password) and kubernetes.io/ssh-auth (ssh-privatekey), and those of Flux
// (identity, known_hosts, bearerToken, ca.crt, caFile, password as the passphrase of identity). A Secret with none of them
// is an error that names the keys it has, never a value.
func AuthFromSecret(data map[string][]byte) (Auth, error) {
	first := func(keys ...string) []byte {
		for _, key := range keys {
			if len(data[key]) > 0 {
				return data[key]
			}
		}
		return nil
	}
	a := Auth{
		Username:      string(first("username")),
		Password:      string(first("password")),
		BearerToken:   string(first("bearerToken")),
		SSHPrivateKey: first("ssh-privatekey", "identity"),
		KnownHosts:    first("known_hosts"),
		CABundle:      first("ca.crt", "caFile"),
	}
	if a.SSHPrivateKey != nil {
		a.SSHPassphrase = a.Password
	}
	if a.Username == "" && a.Password == "" && a.BearerToken == "" && a.SSHPrivateKey == nil && a.CABundle == nil {
		return Auth{}, fmt.Errorf("%w: it has the keys %q", errNoCredentials, slices.Sorted(maps.Keys(data)))
	}
	return a, nil
}

var errNoCredentials = errors.New("gogit: the Secret has none of username, password, bearerToken, ssh-privatekey, identity, ca.crt and caFile")
