package smart

import (
	"errors"
	"fmt"
)

var errCut = errors.New("connection cut")

func pkt(line string) string { return fmt.Sprintf("%04x%s", len(line)+4, line) }
