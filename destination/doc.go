// Package destination has the places where changes go: a Destination is a base folder on a branch
// of a repository.
//
// Resolve makes Destinations of what GitRepoConfigs (Repository) and GitDestinations (Spec) say,
// and checks them together. A Set holds the valid ones and the faults of the others. A Destination
// made by hand is checked by its method Validate.
//
// A Destination is always whole: no event has a repository without a branch. It is comparable, and
// can be a map key. Everything here is a pure function of its arguments; nothing looks at a
// repository.
//
// # Branches
//
// A branch is valid if `git check-ref-format refs/heads/NAME` accepts it and it is neither HEAD nor
// begins with "-". "refs/heads/main" is therefore valid and means refs/heads/refs/heads/main.
//
// # Base folders
//
// A base folder is "" for the root of the repository, or a path as ValidatePath accepts it, of
// folders only. Folders are told apart byte by byte: "Prod" and "prod" are two, although a clone on
// a case-blind disk cannot hold both.
//
// # Repository URLs
//
// These forms are valid, which git and go-git read alike:
//
//	ssh://[user@]host[:port]/path
//	[user@]host:path                 is ssh://[user@]host/path
//	https://[user@]host[:port]/path  and http://
//	git://host[:port]/path
//	file:///path
//	/path                            is file:///path
//
// Refused are passwords, other protocols, relative paths, "." and ".." in paths, queries and
// fragments, host names beyond ASCII (write them in Punycode), and what could be read in two ways:
// host:123:path, C:/path, [::1]:path, an unescaped "@" in a path.
//
// A path and a file URL are valid, but where they lead somebody runs Git's programs as the user of
// the process: Resolve refuses them unless Policy allows their folder.
//
// A user name is no password, and stays in Destination.Repository. If it is a token in fact, it
// belongs in the repository's secret all the same; it is masked wherever this package prints a
// Destination.
//
// # Remote branches
//
// Destinations that write to one branch share a RemoteBranch. URLs surely mean one repository, and
// have one canonical form, if they differ in no more than
//
//   - the scp form and ssh://, a path and file://
//   - the case of protocol and host, the spelling of an IPv6 address
//   - the default port, written or left out
//   - slashes at the end, percent-encoding
//   - .git at the end, except in files: there x and x.git may lie side by side
//   - the user of http and https, who only says who asks
//   - slashes at the beginning of an ssh path: "host:org/repo" is relative to a home folder on a
//     plain SSH server, but Git hosts take it for "/org/repo"
//
// The user of ssh is kept, as a path may be relative to a home of theirs. Other protocols, hosts,
// ports and the case of the path make another RemoteBranch even where a host serves one repository
// under both. That costs a conflict now and then: the compare-and-swap push is what keeps commits
// safe, not the RemoteBranch.
//
// docs/destinations.md has tables of what is one repository and what is not, and of the URLs and
// branches that are refused, with the reasons.
//
// # Errors
//
// Each fault is an *Error that names the object, the field and the value, and matches one of the
// sentinels by errors.Is. All faults are reported at once, joined. No error and no String holds a
// password, even one that makes a URL invalid.
package destination
