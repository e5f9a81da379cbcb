// Package ingest is the way in: it reads department topics from a Kafka-protocol
// broker, cuts them into batches that come out the same after every crash, and
// decodes each batch into one Arrow record batch plus the records that could not
// be read (问题数据).
//
// Three parts meet only in the pipeline:
//
//   - Journal: which offsets were planned and which are done, in the control
//     store. It, not the consumer group, decides where reading starts.
//   - Source: the group consumer. One goroutine per assigned partition calls the
//     pipeline; Partition.Next hands out batches, Partition.Commit lets go of them.
//   - Decoder: JSON or CSV values to columns.
package ingest
