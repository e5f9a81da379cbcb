// Package table pulls a table of a department's exchange database (前置库) on a schedule
// and puts its rows on the dataset's topic as submissions.
//
// The walk is (*run).take: describe the table → match its columns → read a page →
// leave out what was sent before → write down what will be known → send the page as one
// chunk → note that it is known. A kill at any arrow loses no row and sends none twice:
// the cursor of the submission says how far the source was read, and what is known of
// rows that were sent waits beside the chunk until the chunk is on the broker.
//
// Databases differ in a Dialect. The SQL that is sent is made here alone, from names that
// the database itself gave or the manifest's checks let in, always quoted.
package table
