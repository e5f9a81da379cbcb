package httpapi

import "github.com/prometheus/client_golang/prometheus"

// WayIn is the collector of the way in, over no house: to be described, not asked.
func WayIn() prometheus.Collector { return wayIn{&house{}} }

var PartitionOf = partitionOf

// PostStatus is what an error of a post is answered with.
func PostStatus(err error) int { return kindOf(postFault(err)).status }
