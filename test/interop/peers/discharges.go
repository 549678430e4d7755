// Answers discharge.test.ts with go-macaroon: one JSON case on stdin, one JSON answer on stdout.
package main

import (
	"encoding/hex"
	"encoding/json"
	"os"

	"gopkg.in/macaroon.v2"
)

type testCase struct {
	RootKey, CaveatKey, Id, Location, Caveat string
	// Ours, without and with a third-party caveat.
	Plain, Demanding string
	// Ours with discharges: to be accepted, and to be refused.
	Good, Bad []string
}

type answer struct {
	Demanded   string `json:"demanded"`
	Discharged string `json:"discharged"`
	Good       []bool `json:"good"`
	Bad        []bool `json:"bad"`
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

func write(slice macaroon.Slice) string {
	data, err := slice.MarshalBinary()
	must(err)
	return hex.EncodeToString(data)
}

func verifies(rootKey []byte, text string) bool {
	var slice macaroon.Slice
	must(slice.UnmarshalBinary(unhex(text)))
	_, err := slice[0].VerifySignature(rootKey, slice[1:])
	return err == nil
}

func main() {
	var c testCase
	must(json.NewDecoder(os.Stdin).Decode(&c))
	rootKey, caveatKey := unhex(c.RootKey), unhex(c.CaveatKey)

	demanded := read(c.Plain)
	must(demanded.AddThirdPartyCaveat(caveatKey, []byte(c.Id), c.Location))

	root := read(c.Demanding)
	discharge, err := macaroon.New(caveatKey, []byte(c.Id), c.Location, macaroon.V2)
	must(err)
	must(discharge.AddFirstPartyCaveat([]byte(c.Caveat)))
	discharge.Bind(root.Signature())

	a := answer{Demanded: write(macaroon.Slice{demanded}), Discharged: write(macaroon.Slice{root, discharge})}
	for _, text := range c.Good {
		a.Good = append(a.Good, verifies(rootKey, text))
	}
	for _, text := range c.Bad {
		a.Bad = append(a.Bad, verifies(rootKey, text))
	}
	must(json.NewEncoder(os.Stdout).Encode(a))
}
