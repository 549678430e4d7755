// Reads a log from the folder in argv[1], signed by the key in argv[2], with golang.org/x/mod alone: opens its checkpoint,
// checks 100 inclusion proofs and 20 consistency proofs through its tiles, and prints what it did.
package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func check(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

type files struct{ dir string }

func (f files) Height() int { return 8 }

func (f files) SaveTiles(tiles []tlog.Tile, data [][]byte) {}

// Go's own path has the height in it: tile/8/0/x001/234.p/5. C2SP's has not.
func (f files) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		data, err := os.ReadFile(filepath.Join(f.dir, path))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func main() {
	dir := os.Args[1]
	verifier, err := note.NewVerifier(os.Args[2])
	check(err)
	text, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	check(err)
	opened, err := note.Open(text, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	var tree tlog.Tree
	root, err := base64.StdEncoding.DecodeString(lines[2])
	check(err)
	tree.N = size
	copy(tree.Hash[:], root)

	reader := tlog.TileHashReader(tree, files{dir})
	included := 0
	for i := int64(0); i < 100; i++ {
		index := (i * 7919 * 101) % size
		if i == 0 {
			index = size - 1
		}
		hash := tlog.RecordHash([]byte(fmt.Sprintf("entry %d", index)))
		proof, err := tlog.ProveRecord(size, index, reader)
		check(err)
		check(tlog.CheckRecord(proof, size, tree.Hash, index, hash))
		included++
	}
	continued := 0
	for i := int64(1); i <= 20; i++ {
		from := size * i / 21
		before, err := tlog.TreeHash(from, reader)
		check(err)
		proof, err := tlog.ProveTree(size, from, reader)
		check(err)
		check(tlog.CheckTree(proof, size, tree.Hash, from, before))
		continued++
	}
	fmt.Printf("%s size %d, %d inclusion proofs, %d consistency proofs\n", lines[0], size, included, continued)
}
