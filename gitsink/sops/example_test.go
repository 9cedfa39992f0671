package sops_test

import (
	"context"
	"fmt"
	"strings"

	"filippo.io/age"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/sops"
)

func Example() {
	made, err := age.GenerateX25519Identity() // age-keygen does that once
	if err != nil {
		panic(err)
	}
	// the data of the Secret "sops-age", which Flux reads as well
	identities, err := sops.IdentitiesFromSecret(map[string][]byte{"age.agekey": []byte(made.String())})
	if err != nil {
		panic(err)
	}
	ring, err := sops.NewKeyring(sops.Keys{Recipients: []string{made.Recipient().String()}, Identities: identities})
	if err != nil {
		panic(err)
	}
	encryptor, err := sops.New(&sops.Options{Keyring: ring})
	if err != nil {
		panic(err)
	}
	_ = gitsink.WriterOptions{Encryptor: encryptor} // Options.Write of a Mirror

	// the Writer then calls it
	file, err := encryptor.Encrypt(context.Background(), event.Plaintext{
		Resource: event.Resource{ID: event.ID{Resource: "secrets", Namespace: "shop", Name: "login"}, Version: "v1", Kind: "Secret"},
		Path:     "clusters/prod/shop/secrets/login.yaml",
		Content:  []byte("apiVersion: v1\ndata:\n  password: aHVudGVyMg==\nkind: Secret\nmetadata:\n  name: login\n  namespace: shop\n"),
	})
	if err != nil {
		panic(err)
	}
	for line := range strings.Lines(string(file)) {
		key, _, _ := strings.Cut(line, ": ")
		if strings.Contains(line, "ENC[") {
			fmt.Println(key + ": ENC[...]")
		} else if strings.HasPrefix(key, "kind") || strings.HasSuffix(key, "name") || strings.HasSuffix(key, "regex") {
			fmt.Print(line)
		}
	}
	// Output:
	//   password: ENC[...]
	// kind: Secret
	//   name: login
	//   encrypted_regex: ^(data|stringData)$
	//   mac: ENC[...]
}

// Tenants have keys of their own: here those of the Secret "sops-age" in the destination's
// namespace, of which the operator keeps a Keyring for each.
func ExampleOptions() {
	keyrings := map[string]*sops.Keyring{} // by namespace; made anew when a Secret changes
	_, err := sops.New(&sops.Options{KeyringFor: func(_ context.Context, d destination.Destination) (*sops.Keyring, error) {
		return keyrings[d.Ref.Namespace], nil // none: its Secrets are refused with ErrNoKeys
	}})
	fmt.Println(err)
	// Output:
	// <nil>
}
