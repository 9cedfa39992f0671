package sample

import "testing"

func TestPut(t *testing.T) {
	b := newBox("")
	if b.put(1, 2) != nil || b.put(2, 2) != nil || b.put(3, 2) == nil {
		t.Fatal("put")
	}
	b.open = false
	if b.put(3, 9) == nil {
		t.Fatal("closed")
	}
}

func TestSum(t *testing.T) {
	b := newBox("x")
	for i := range 3 {
		if err := b.put(i, 3); err != nil {
			t.Fatal(err)
		}
	}
	if b.sum() != 3 {
		t.Fatal(b.sum())
	}
}
