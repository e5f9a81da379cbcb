package httpapi

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"mulu"
	api "mulu/internal/httpapi/gen/ledger"
	"mulu/internal/outbox"
	"mulu/ledger/contract"
	"mulu/ledger/verify"
)

// ledgerRoom shows the directory chain and hands out proofs.
type ledgerRoom struct{ *house }

// mostPending is how far what waits is counted.
const mostPending = 500

// kindTexts says in Chinese what a command does.
var kindTexts = map[contract.Kind]string{
	contract.ChainInit:     "目录链创建",
	contract.ActorRegister: "登记签名密钥",
	contract.SystemPut:     "登记信息系统",
	contract.DutyPut:       "登记职责",
	contract.EntryPropose:  "提出目录条目",
	contract.EntryPublish:  "发布目录条目",
	contract.EntryRetire:   "注销目录条目",
	contract.DatasetLink:   "数据集挂接目录",
	contract.BatchAnchor:   "归集批次存证",
	contract.QualityAnchor: "质量得分存证",
	contract.ScenarioFile:  "应用场景备案",
	contract.GrantRequest:  "提出共享申请",
	contract.GrantDecide:   "答复共享申请",
	contract.GrantActivate: "共享授权生效",
	contract.GrantSuspend:  "暂停共享授权",
	contract.GrantResume:   "恢复共享授权",
	contract.GrantEnd:      "终止共享授权",
	contract.ReceiptAnchor: "共享日志存证",
}

func textOf(k contract.Kind, key string) string {
	text, ok := kindTexts[k]
	if !ok {
		text = string(k)
	}
	if k == contract.BatchAnchor || k == contract.QualityAnchor {
		key, _, _ = strings.Cut(key, ":") // the dataset; what follows tells one anchor from another
	}
	if key == "" {
		return text
	}
	return text + "：" + key
}

func (h ledgerRoom) GetHead(ctx context.Context, _ api.GetHeadRequestObject) (api.GetHeadResponseObject, error) {
	head, err := h.Ledger.Head(ctx)
	if err != nil {
		return nil, err
	}
	waiting, err := h.Relay.Pending(ctx, mostPending)
	if err != nil {
		return nil, err
	}
	return api.GetHead200JSONResponse(api.Head{Origin: head.Origin, Key: head.Key, Size: int64(head.Size), Root: head.Root, At: head.At.UTC(), Checkpoint: head.Checkpoint, Pending: len(waiting)}), nil
}

func (h ledgerRoom) ListRecent(ctx context.Context, req api.ListRecentRequestObject) (api.ListRecentResponseObject, error) {
	limit, err := limitOf(req.Params.Limit, 50, 500)
	if err != nil {
		return nil, err
	}
	offset := value(req.Params.Offset)
	if offset < 0 || offset > 10_000 {
		return nil, invalid("offset 应为 0 至 10000")
	}
	list, err := h.Ledger.Recent(ctx, offset+limit)
	if err != nil {
		return nil, err
	}
	actors, err := h.actors.get(ctx)
	if err != nil {
		return nil, err
	}
	page := api.ChainPage{Items: []api.ChainEntry{}}
	if len(list) > 0 {
		page.Total = int64(list[0].Index) + 1
	}
	for _, r := range list[min(offset, len(list)):] {
		a := actors[r.Actor]
		page.Items = append(page.Items, api.ChainEntry{Index: int64(r.Index), Id: r.ID, Kind: string(r.Kind), Object: string(r.Object), Key: r.Key,
			Actor: r.Actor, OrgName: a.Org.Name, Role: string(a.Role), At: r.At.UTC(), Text: textOf(r.Kind, r.Key)})
	}
	return api.ListRecent200JSONResponse(page), nil
}

func (h ledgerRoom) ListPending(ctx context.Context, req api.ListPendingRequestObject) (api.ListPendingResponseObject, error) {
	limit, err := limitOf(req.Params.Limit, 100, mostPending)
	if err != nil {
		return nil, err
	}
	waiting, err := h.Relay.Pending(ctx, limit)
	if err != nil {
		return nil, err
	}
	refused, err := h.Relay.RefusedLast(ctx, limit)
	if err != nil {
		return nil, err
	}
	return api.ListPending200JSONResponse(api.Pending{Pending: pendingOf(waiting), Refused: pendingOf(refused)}), nil
}

func pendingOf(list []outbox.Item) []api.PendingItem {
	out := []api.PendingItem{}
	for _, i := range list {
		_, key, _ := strings.Cut(i.Subject, "/")
		out = append(out, api.PendingItem{Id: i.ID, Kind: string(i.Kind), Subject: i.Subject, Actor: i.Actor, At: i.At.UTC(), State: api.PendingItemState(i.State),
			Attempts: i.Attempts, Error: i.LastError, Message: i.Message, Text: textOf(i.Kind, key)})
	}
	return out
}

// GetProof makes the offline proof of a command, or of a receipt or a batch under
// the command that anchored it.
func (h ledgerRoom) GetProof(ctx context.Context, req api.GetProofRequestObject) (api.GetProofResponseObject, error) {
	id := req.Params.Id
	command, subject, err := h.anchorOf(ctx, id)
	if err != nil {
		return nil, err
	}
	bundle, err := h.Ledger.Proof(ctx, command)
	if err != nil {
		return nil, err
	}
	bundle.Subject = subject
	raw, err := bundle.Encode()
	if err != nil {
		return nil, fmt.Errorf("encode proof of %s: %w", id, err)
	}
	return proofFile{raw: raw, name: fileName(id)}, nil
}

// anchorOf finds the command that proves id. A subject is what stands under its root.
func (h ledgerRoom) anchorOf(ctx context.Context, id string) (command string, subject *verify.Subject, err error) {
	if _, err := h.Ledger.Lookup(ctx, id); err == nil {
		return id, nil, nil
	} else if !errors.Is(err, mulu.ErrNotFound) {
		return "", nil, err
	}
	if batch, ok := parseBatch(id); ok {
		p, err := h.Catalog.BatchProof(ctx, batch)
		if err != nil {
			return "", nil, err
		}
		if p.Index < 0 {
			return "", nil, fmt.Errorf("批次 %s 的存证尚待上链: %w", id, mulu.ErrBusy)
		}
		return p.Command, &verify.Subject{Digest: p.Leaf, Leaf: uint64(p.Pos), Size: uint64(p.Count), Path: filled(p.Path)}, nil
	}
	p, err := h.Share.ReceiptProof(ctx, mulu.ReceiptID(id))
	if errors.Is(err, mulu.ErrNotFound) {
		return "", nil, fmt.Errorf("链上和共享日志中都没有 %s: %w", id, mulu.ErrNotFound)
	}
	if err != nil {
		return "", nil, err
	}
	return p.Command, &verify.Subject{Digest: p.Digest, Leaf: p.Index, Size: p.Size, Path: filled(p.Path)}, nil
}

func filled(path []string) []string {
	if path == nil {
		return []string{}
	}
	return path
}

// parseBatch reads "topic id/partition/first offset".
func parseBatch(id string) (b mulu.BatchID, ok bool) {
	part := strings.Split(id, "/")
	if len(part) != 3 {
		return b, false
	}
	topic, err1 := hex.DecodeString(part[0])
	partition, err2 := strconv.ParseInt(part[1], 10, 32)
	first, err3 := strconv.ParseInt(part[2], 10, 64)
	if err1 != nil || err2 != nil || err3 != nil || len(topic) != len(b.TopicID) {
		return b, false
	}
	copy(b.TopicID[:], topic)
	b.Partition, b.First = int32(partition), first
	return b, true
}

// proofFile is a bundle exactly as it verifies: canonical, not encoded again.
type proofFile struct {
	raw  []byte
	name string
}

func (p proofFile) VisitGetProofResponse(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="`+p.name+`.proof.json"`)
	w.Header().Set("Content-Length", strconv.Itoa(len(p.raw)))
	_, err := w.Write(p.raw)
	return err
}

// fileName makes an id fit for a file.
func fileName(id string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, id)
}

// chainIndex is the position of a command, nil while the chain does not have it.
func (h *house) chainIndex(ctx context.Context, command string) (*int64, error) {
	r, err := h.Ledger.Lookup(ctx, command)
	if errors.Is(err, mulu.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	i := int64(r.Index)
	return &i, nil
}
