// Package gitsinktest tests what writes to Git: a sink of your own, or code that uses one.
//
// Whoever implements gitsink.GitSink calls one function in a test. It runs about fifty checks
// against the sink, each in a subtest, and a check that fails quotes the promise that was broken:
//
//	gitsinktest.TestGitSink(t, gitsinktest.Harness{
//		New: func(t testing.TB, s gitsinktest.Store) gitsink.GitSink { return newMySink() },
//	})
//
// Whoever uses a sink tests against the [Fake]: a sink in memory that shows what was written. For a
// real Git server in a test see package gitservertest.
//
// # The conformance kit
//
// [TestGitSink] checks that a sink keeps the contract of package gitsink. A [Harness] makes the
// sink, and the [Store] that it writes to: by default a repository on a Git server. A store need
// not be Git. Its [Observer] looks at what was written without the sink's help. The kit itself is
// tested against the Fake, which passes, and against sinks that are broken on purpose, each of
// which fails.
//
// The kit asks for what package gitsink says, and for a little more, so that all sinks behave
// alike:
//
//   - The plan may keep and change what Tree.Read returns.
//   - A file that is written again keeps its mode.
//   - Symbolic links and submodules are neither followed nor overwritten: ErrPath.
//   - A missing branch starts with the commit of the default branch, if the store has one.
//   - An Apply whose context has ended before its plan ran returns the context's error and writes
//     nothing.
//   - An Apply whose context ends while its plan runs returns as soon as the plan does.
//   - A call that waits for another returns when its context ends.
//   - A plan that panics fails its own call, by an error or the panic, and nothing else.
//   - A slow plan holds up no branch but its own.
//
// The kit does not measure speed. Nor does it check what becomes of a push whose answer is lost:
// that depends on the protocol.
//
// # Encryptors
//
// [TestEncryptor] checks that an Encryptor keeps the contract of event.Encryptor. An
// [EncryptorHarness] makes it. The kit asks for a little more than package event says:
//
//   - Contents that YAML could take for each other are not the same.
//   - Over a file that cannot be decrypted Encrypt returns an error, or a file that is the same.
//   - A call whose context has ended, or ends meanwhile, returns soon, with an error or a result.
//   - An object may have a megabyte, which is what Kubernetes allows.
//
// # Hostile repositories and servers
//
// [TestHostile] lets a Writer on a sink meet an attacker, and measures memory, time and goroutines.
// Each case is a [Hostile]. [HostileRepositories] can be made by anybody who may push to a
// repository. [HostileServers] are servers, or somebody between, that answer in order to harm; they
// expect the sink to log in with [HostileLogin].
//
// # Errors
//
// A function that cannot do its work ends the test with Fatal; none returns an error.
//
// # Concurrency
//
// The methods of Fake and FakeRepo may be called concurrently, and while a plan runs. TestGitSink,
// TestEncryptor and TestHostile run their subtests one after another.
//
// # Requirements
//
// The Fake needs nothing. The default store and the hostile cases need what package gitservertest
// does: a Unix with git 2.39 or newer.
package gitsinktest
