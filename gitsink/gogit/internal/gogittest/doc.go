// Package gogittest has what the tests of gogit, and of the packages below it, have in common: a
// server in memory, keys, packs that are meant for harm, and a repository that git judges. It knows
// none of these packages, so the tests inside each may use it.
package gogittest
