package gitsinktest

import (
	"bytes"
	"context"
	"strings"
)

// encryptorChecks are all checks of [TestEncryptor].
var encryptorChecks = []encryptorCheck{
	{
		name:    "a file has nothing of a Secret in plain text",
		promise: "Encrypt returns what is stored instead of the content.",
		run:     func(ctx context.Context, e *encryptorEnv) error { return hides(ctx, e, sensitiveSecret(e.To, "s")) },
	},
	{
		name:    "a file has nothing of another sensitive object in plain text",
		promise: "and of any other object all but apiVersion, kind and metadata.",
		run:     func(ctx context.Context, e *encryptorEnv) error { return hides(ctx, e, sensitiveObject(e.To)) },
	},
	{
		name:    "the fields that are named are hidden",
		promise: "Fields are JSON pointers (RFC 6901) to what must not be stored in plain.",
		run: func(ctx context.Context, e *encryptorEnv) error {
			return hides(ctx, e, sensitiveObject(e.To, "/spec/credentials/token", "/spec/list/4/secret"))
		},
	},
	{
		name:    "what was encrypted can be decrypted",
		promise: "Encrypt returns what is stored instead of the content.",
		needs:   decryption,
		run:     decrypts,
	},
	{
		name:    "a restarted process finds what it has encrypted",
		promise: "without Same every restart would commit every Secret again.",
		run:     findsAgain,
	},
	{
		name:    "a file with another content is not the same",
		promise: "Same reports whether p.Stored is a valid encryption of the content",
		run:     tellsContentsApart,
	},
	{
		name:    "contents that are easily confused are told apart",
		promise: "Contents that YAML could take for each other are not the same.",
		run:     tellsOddContentsApart,
	},
	{
		name:    "what is encrypted over a stored file is the new content",
		promise: "It may take from p.Stored what is still good, so that what did not change stays as it is.",
		run:     replaces,
	},
	{
		name:    "a damaged file is not the same",
		promise: "What cannot be decrypted is not the same.",
		run:     noticesDamage,
	},
	{
		name:    "over a damaged file there is an error or a good file",
		promise: "Over a file that cannot be decrypted Encrypt returns an error, or a file that is the same.",
		run:     survivesDamage,
	},
	{
		name:    "a file under other keys is not the same",
		promise: "under the keys in use today.",
		needs:   otherKeys,
		run: func(ctx context.Context, e *encryptorEnv) error {
			s := sensitiveSecret(e.To, "s")
			file, err := encrypted(ctx, e.Other(e.t), s.Plaintext)
			if err != nil {
				return err
			}
			return requireSame(ctx, e.make(), s.Plaintext, file, false, "a file under other keys")
		},
	},
	{
		name:    "a file of another destination is not the same",
		promise: "is a valid encryption of the content for this destination",
		needs:   otherDestination,
		run: func(ctx context.Context, e *encryptorEnv) error {
			s, enc := sensitiveSecret(e.OtherTo, "s"), e.make()
			file, err := encrypted(ctx, enc, s.Plaintext)
			if err != nil {
				return err
			}
			s.Destination = e.To
			return requireSame(ctx, enc, s.Plaintext, file, false, "a file of another destination")
		},
	},
	{
		name:    "it may be used concurrently",
		promise: "Implementations must be safe for concurrent use",
		run:     concurrently,
	},
	{
		name:    "arguments are not changed",
		promise: "must not keep or change their arguments",
		run:     changesNoArgument,
	},
	{
		name:    "arguments are not kept",
		promise: "must not keep or change their arguments",
		run:     keepsNoArgument,
	},
	{
		name:    "an error has no plain text in it",
		promise: "must not put plain text into an error.",
		run:     showsNothing,
	},
	{
		name:    "a call whose context has ended returns",
		promise: "A call whose context has ended, or ends meanwhile, returns soon, with an error or a result.",
		run:     heedsItsContext,
	},
	{
		name:    "a Secret of a megabyte is encrypted",
		promise: "An object may have a megabyte, which is what Kubernetes allows.",
		run: func(ctx context.Context, e *encryptorEnv) error {
			s := sensitiveSecret(e.To, "large")
			s.Content = bytes.Replace(s.Content, []byte("AAECAwT/"), []byte(strings.Repeat("AAECAwT/", 1<<17)), 1)
			return hides(ctx, e, s)
		},
	},
}
