package gitsink
