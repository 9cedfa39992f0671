package smart

import (
	"strings"

	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

func hash(digit string) object.ID { return hexID(strings.Repeat(digit, 40)) }
