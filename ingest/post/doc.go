// Package post takes what a department's system posts over HTTP (接口报送): a JSON list
// or object, JSON lines, or an Arrow stream. A body is kept and read whole before
// anything of it is sent, so that one that is broken leaves nothing behind; rows are cut
// out of it without being understood, and go to the broker byte for byte through package
// submit. What is wrong with a row is for the walk in to say.
package post
