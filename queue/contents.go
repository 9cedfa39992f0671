package queue

import "github.com/kubescribe/kubescribe/event"

// contents has the number of events that hold each Content, waiting or in hand, so that what
// several lines share counts once in total. Each entry takes some thirty bytes.
type contents struct{ table[*event.Content, int32] }

func newContents() contents { return contents{newTable[*event.Content, int32]()} }

// add counts an event. It returns the bytes by which the total grows.
func (c *contents) add(e *event.Event) int64 {
	if e.Content == nil {
		return bareBytes
	}
	n := c.entries[e.Content]
	c.put(e.Content, n+1)
	if n > 0 {
		return 0
	}
	return loadOf(e).bytes
}

// adds returns what add would.
func (c *contents) adds(e *event.Event) int64 {
	if e.Content != nil && c.entries[e.Content] > 0 {
		return 0
	}
	return loadOf(e).bytes
}

// remove counts an event no longer. It returns the bytes by which the total shrinks.
func (c *contents) remove(e *event.Event) int64 {
	if e.Content == nil {
		return bareBytes
	}
	if n := c.entries[e.Content]; n > 1 {
		c.put(e.Content, n-1)
		return 0
	}
	c.drop(e.Content)
	return loadOf(e).bytes
}

// removes returns what remove would.
func (c *contents) removes(e *event.Event) int64 {
	if e.Content != nil && c.entries[e.Content] > 1 {
		return 0
	}
	return loadOf(e).bytes
}
