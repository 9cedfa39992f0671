package object

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	someHash  = "1111111111111111111111111111111111111111"
	otherHash = "2222222222222222222222222222222222222222"
)

func TestADamagedFolderIsNamed(t *testing.T) {
	require.ErrorContains(t, CheckNames(SHA1, "100644 a\x00short", "way/to/"), `"way/to/"`)
	require.NoError(t, CheckNames(SHA1, "", "way/to/"))
}
