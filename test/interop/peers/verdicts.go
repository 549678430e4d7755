// Answers differential.test.ts with go-macaroon. A line on stdin is a root key, a token and its discharges, in hex; a line
// on stdout is what was read, or "-" when it was refused: with each macaroon read by itself, then as one after the other.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	"gopkg.in/macaroon.v2"
)

func unhex(text string) []byte {
	data, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return data
}

func verdict(key []byte, all macaroon.Slice) string {
	if len(all) == 0 {
		return "-"
	}
	if _, err := all[0].VerifySignature(key, all[1:]); err != nil {
		return "-"
	}
	read := sha256.New()
	for _, m := range all {
		fmt.Fprintf(read, "%x,%x", m.Location(), m.Id())
		for _, c := range m.Caveats() {
			fmt.Fprintf(read, ";%x,%x,%x", c.Id, c.VerificationId, c.Location)
		}
		fmt.Fprintf(read, ".%x\n", m.Signature())
	}
	return hex.EncodeToString(read.Sum(nil)[:8])
}

func apart(pieces [][]byte) macaroon.Slice {
	var all macaroon.Slice
	for _, piece := range pieces {
		var m macaroon.Macaroon
		if m.UnmarshalBinary(piece) != nil {
			return nil
		}
		all = append(all, &m)
	}
	return all
}

func joined(pieces [][]byte) macaroon.Slice {
	var all macaroon.Slice
	if all.UnmarshalBinary(bytes.Join(pieces, nil)) != nil {
		return nil
	}
	return all
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for lines.Scan() {
		var parts [][]byte
		for _, text := range strings.Split(lines.Text(), " ") {
			parts = append(parts, unhex(text))
		}
		fmt.Fprintln(out, verdict(parts[0], apart(parts[1:])), verdict(parts[0], joined(parts[1:])))
	}
	if err := lines.Err(); err != nil {
		panic(err)
	}
}
