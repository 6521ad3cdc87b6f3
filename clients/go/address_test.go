package main

import "testing"

func TestAddressesAreReadAsTheSDKDoes(t *testing.T) {
	cases, err := readCases("../cases.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(cases.Addresses) == 0 {
		t.Fatal("there are no addresses")
	}
	for _, test := range cases.Addresses {
		got, err := parseAddress(test.Text)
		if want := (address{test.HostAndPort, test.TLS}); err != nil || got != want {
			t.Errorf("parseAddress(%s) = %v, %v, want %v", test.Text, got, err, want)
		}
	}
}

func TestNoAddressMaySendTheTokenInPlainTextOverANetwork(t *testing.T) {
	for _, text := range []string{"http://192.0.2.1:7465", "http://stardag.example.com", "ftp://localhost", "localhost/there", ""} {
		if got, err := parseAddress(text); err == nil {
			t.Errorf("parseAddress(%q) = %v, want an error", text, got)
		}
	}
}
