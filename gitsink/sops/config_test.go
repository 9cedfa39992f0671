package sops_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink/sops"
)

// config fills in the recipients of a .sops.yaml.
func config(text string) []byte {
	return []byte(strings.NewReplacer("ALICE", alice.identity.Recipient(), "BOB", bob.identity.Recipient(), "CAROL", carol.identity.Recipient()).Replace(text))
}

func TestASOPSConfigMeansWhatItMeansToSOPS(t *testing.T) {
	t.Parallel()
	j := newJudge(t, alice.secret)
	for _, text := range []string{
		"creation_rules:\n- age: ALICE\n",
		"creation_rules:\n- age: ALICE,BOB\n",
		"creation_rules:\n- age: >-\n    ALICE,\n    BOB\n",
		"creation_rules:\n- age: [ALICE, BOB]\n",
		"creation_rules:\n- age: [ALICE, ALICE]\n",
		"creation_rules:\n- path_regex: ^clusters/prod/\n  age: BOB\n- age: CAROL\n",
		"creation_rules:\n- path_regex: ^prod/\n  age: BOB\n- age: CAROL\n",
		"creation_rules:\n- path_regex: secrets/.*\\.yaml$\n  age: BOB\n  encrypted_regex: ^(data|stringData|password)$\n  mac_only_encrypted: true\n",
		"creation_rules:\n- path_regex: LOGIN\n  age: BOB\n- path_regex: (?i)LOGIN\n  age: ALICE\n",
		"creation_rules:\n- key_groups:\n  - age: [ALICE, BOB]\n",
		"keys:\n- &alice ALICE\n- &bob BOB\ncreation_rules:\n- path_regex: ''\n  key_groups:\n  - age:\n    - *alice\n    - *bob\nstores: {yaml: {indent: 2}}\n",
		"creation_rules:\n- age: ALICE\n  pgp: ''\n  kms: []\n  encrypted_suffix: ata\n",
		"creation_rules:\n- path_regex: nothing\n  age: ALICE\n",
	} {
		ring, err := sops.NewKeyring(sops.Keys{Config: config(text), Identities: identities(alice, bob, carol)})
		require.NoError(t, err, text)
		e, err := sops.New(&sops.Options{Keyring: ring})
		require.NoError(t, err)
		p := plainSecret(t)
		theirs, refused := j.ask(t, question{Op: "rule", File: config(text), Path: p.Path})
		file, err := e.Encrypt(t.Context(), p)
		if refused != nil {
			require.ErrorContains(t, refused, "no matching creation rules", text)
			require.ErrorIs(t, err, sops.ErrNoKeys, text)
			require.ErrorContains(t, err, p.Path)
			continue
		}
		require.NoError(t, err, text)
		for _, r := range recipients(alice, bob, carol) {
			require.Equal(t, strings.Contains(strings.Join(theirs.Recipients, ","), r), strings.Contains(string(file), r), text)
		}
		if theirs.EncryptedRegex != "" {
			require.Equal(t, theirs.EncryptedRegex, regexOf(t, file), text)
		}
		if theirs.EncryptedSuffix != "" {
			require.Contains(t, string(file), "encrypted_suffix: "+theirs.EncryptedSuffix, text)
		}
		require.True(t, same(t, e, p, file))
	}
}

func TestAFaultOfASOPSConfigNamesRuleAndField(t *testing.T) {
	t.Parallel()
	for text, wants := range map[string][]string{
		"creation_rules:\n- kms: arn\n  age: ALICE\n":                                  {"creation_rules[0].kms", "only age"},
		"creation_rules:\n- age: ALICE\n- pgp: FP\n":                                   {"creation_rules[1].pgp", "creation_rules[1].age"},
		"creation_rules:\n- age: ALICE\n  hc_vault_transit_uri: https://vault\n":       {"creation_rules[0].hc_vault_transit_uri"},
		"creation_rules:\n- age: ALICE\n  gcp_kms: x\n  azure_keyvault: y\n":           {"creation_rules[0].gcp_kms", "creation_rules[0].azure_keyvault"},
		"creation_rules:\n- age: ALICE\n  unencrypted_regex: ^metadata$\n":             {"creation_rules[0].unencrypted_regex", "encrypted_regex"},
		"creation_rules:\n- age: ALICE\n  unencrypted_suffix: _x\n":                    {"creation_rules[0].unencrypted_suffix"},
		"creation_rules:\n- age: ALICE\n  encrypted_comment_regex: x\n":                {"creation_rules[0].encrypted_comment_regex"},
		"creation_rules:\n- age: ALICE\n  encrypted_regexp: x\n":                       {"creation_rules[0].encrypted_regexp", "not known"},
		"creation_rules:\n- age: ALICE\n  encrypted_regex: '('\n":                      {"creation_rules[0].encrypted_regex"},
		"creation_rules:\n- age: ALICE\n  path_regex: '('\n":                           {"creation_rules[0].path_regex"},
		"creation_rules:\n- age: ALICE\n  path_regex: [a]\n":                           {"creation_rules[0].path_regex", "want text"},
		"creation_rules:\n- age: ALICE\n  encrypted_regex: a\n  encrypted_suffix: b":   {"creation_rules[0]", "exclude"},
		"creation_rules:\n- age: ALICE\n  mac_only_encrypted: maybe\n":                 {"creation_rules[0].mac_only_encrypted"},
		"creation_rules:\n- age: {a: b}\n":                                             {"creation_rules[0].age"},
		"creation_rules:\n- age: [1]\n":                                                {"creation_rules[0].age"},
		"creation_rules:\n- age: AGE-SECRET-KEY-1QQQ\n":                                {"creation_rules[0].age[0]", "what stands there"},
		"creation_rules:\n- age: age1nonsense\n":                                       {"creation_rules[0].age[0]", `"age1nonsense"`},
		"creation_rules:\n- age: ssh-ed25519 AAAA\n":                                   {"creation_rules[0].age[0]", `"ssh-ed25519 AAAA"`},
		"creation_rules:\n- key_groups: [{age: [ALICE]}, {age: [BOB]}]\n":              {"creation_rules[0].key_groups", "one group"},
		"creation_rules:\n- key_groups: [{age: [ALICE], pgp: [FP]}]\n":                 {"creation_rules[0].key_groups", `"pgp"`},
		"creation_rules:\n- age: ALICE\n  shamir_threshold: 2\n":                       {"creation_rules[0].shamir_threshold"},
		"creation_rules:\n- path_regex: a\n":                                           {"creation_rules[0].age"},
		"creation_rules: []\n":                                                         {"0 creation_rules"},
		"creation_rule:\n- age: ALICE\n":                                               {"0 creation_rules"},
		"creation_rules: [\n":                                                          {"Config is no .sops.yaml"},
		"creation_rules:\n- age: CAROL\n":                                              {"none of the Identities", carol.identity.Recipient()},
		"creation_rules:\n" + strings.Repeat("- age: ALICE\n", 1001):                   {"1001 creation_rules"},
		"#" + strings.Repeat("x", 1<<20):                                               {"more than"},
		"a: &a [x,x,x,x,x,x,x,x]\n" + aliases() + "creation_rules:\n- age: [*h, *h]\n": {"Config"},
	} {
		_, err := sops.NewKeyring(sops.Keys{Config: config(text), Identities: identities(alice, bob)})
		require.ErrorIs(t, err, sops.ErrKeys, text)
		for _, want := range wants {
			require.ErrorContains(t, err, want, text)
		}
		require.NotContains(t, err.Error(), "SECRET-KEY-1QQQ")
	}
}

func aliases() string {
	var b strings.Builder
	for c := 'a'; c < 'h'; c++ {
		fmt.Fprintf(&b, "%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c+1, c+1, c, c, c, c, c, c, c, c, c)
	}
	return b.String()
}

func TestRecipientsHoldWhereARuleNamesNone(t *testing.T) {
	t.Parallel()
	e := encryptor(t, sops.Keys{
		Recipients: recipients(alice), Identities: identities(alice, bob), Config: config("creation_rules:\n- path_regex: ^other\n  age: BOB\n- encrypted_regex: ^(data|type)$\n"),
	})
	file := encrypt(t, e, plainSecret(t))
	require.Contains(t, string(file), alice.identity.Recipient())
	require.Contains(t, string(file), "type: ENC[")
	p := plainSecret(t)
	p.Path = "other/s.yaml"
	require.Contains(t, string(encrypt(t, e, p)), bob.identity.Recipient())
}
