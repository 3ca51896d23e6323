// Command toxiproxy-test is Shopify's toxiproxy for fapilog's tests: TCP proxies that misbehave as they are told.
//
// Its HTTP API listens on the loopback port given as the only argument; README.md in this directory says more.
package main

import (
	"fmt"
	"os"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "toxiproxy-test: usage: toxiproxy-test PORT")
		os.Exit(2)
	}
	logger := zerolog.New(os.Stderr).With().Timestamp().Logger()
	metrics := toxiproxy.NewMetricsContainer(prometheus.NewRegistry())
	toxiproxy.NewServer(metrics, logger).Listen("127.0.0.1", os.Args[1])
}
