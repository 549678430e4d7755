// Answers macaroon.test.ts with go-macaroon: JSON cases on stdin, JSON answers on stdout.
package main

import (
	"encoding/hex"
	"encoding/json"
	"os"

	"gopkg.in/macaroon.v2"
)

type testCase struct {
	RootKey, Identifier, Location, Ours, Shorter string
	Caveats                                      []string
}

type answer struct {
	Minted                 string `json:"minted"`
	Extended               string `json:"extended"`
	Copied                 string `json:"copied"`
	Verified               bool   `json:"verified"`
	VerifiedWithAnotherKey bool   `json:"verifiedWithAnotherKey"`
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func unhex(text string) []byte {
	data, err := hex.DecodeString(text)
	must(err)
	return data
}

func read(text string) *macaroon.Macaroon {
	var m macaroon.Macaroon
	must(m.UnmarshalBinary(unhex(text)))
	return &m
}

func write(m *macaroon.Macaroon) string {
	data, err := m.MarshalBinary()
	must(err)
	return hex.EncodeToString(data)
}

func verifies(m *macaroon.Macaroon, key []byte) bool {
	_, err := m.VerifySignature(key, nil)
	return err == nil
}

func main() {
	var cases []testCase
	must(json.NewDecoder(os.Stdin).Decode(&cases))
	answers := make([]answer, 0, len(cases))
	for _, c := range cases {
		minted, err := macaroon.New(unhex(c.RootKey), unhex(c.Identifier), c.Location, macaroon.V2)
		must(err)
		for _, caveat := range c.Caveats {
			must(minted.AddFirstPartyCaveat([]byte(caveat)))
		}
		extended := read(c.Shorter)
		must(extended.AddFirstPartyCaveat([]byte(c.Caveats[len(c.Caveats)-1])))
		answers = append(answers, answer{
			Minted:                 write(minted),
			Extended:               write(extended),
			Copied:                 write(read(c.Ours)),
			Verified:               verifies(read(c.Ours), unhex(c.RootKey)),
			VerifiedWithAnotherKey: verifies(read(c.Ours), []byte("another")),
		})
	}
	must(json.NewEncoder(os.Stdout).Encode(answers))
}
