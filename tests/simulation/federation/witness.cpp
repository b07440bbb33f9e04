#include "tests/simulation/federation/witness.hpp"

#include <algorithm>

#include "segment/content.hpp"
#include "tests/simulation/declared.hpp"
#include "tests/simulation/telling.hpp"
#include "tests/simulation/trace.hpp"
#include "trust/signed.hpp"

namespace towpath::sim::fed {
namespace {

constexpr std::uint16_t kEntities = 1;

std::string hex_uuid(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    if (text.size() == 8 || text.size() == 13 || text.size() == 18 || text.size() == 23) text += '-';
    text += kHex[static_cast<unsigned char>(c) >> 4];
    text += kHex[static_cast<unsigned char>(c) & 15];
  }
  return text;
}

std::string text(Epoch epoch, StreamSeq seq) {
  return std::to_string(epoch.number) + "/" + std::to_string(seq.number);
}

bool same(ByteView a, ByteView b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

}  // namespace

void Witness::remember(PartySecret secret) {
  const KeyId id = secret.key().id();
  secrets_.insert_or_assign(id, std::move(secret));
}

Bundle Witness::read(ByteView sealed, Keyring& hub) const {
  const auto outside = Envelope::read(sealed);
  if (!outside) throw Broken(Promise::kKept, "what a school says is no bundle");
  const auto school = secrets_.find(outside->sender);
  const auto keys = hub.keys();
  const PartySecret* own = key_of(*keys, outside->recipient);
  if (school == secrets_.end() || own == nullptr)
    throw Broken(Promise::kKept, "a bundle is between parties that are not there");
  auto opened = open(sealed, *own, school->second.key());
  if (!opened)
    throw Broken(Promise::kKept, "a school's bundle cannot be opened: " + opened.error().sentence());
  return std::move(*opened);
}

void Witness::departs(const Leaving& from, ByteView message, Keyring& hub) {
  check_telling(text_of(message), {}, "a message on its way");
  if (message_kind(message) != MessageKind::kBundle) return;
  const Bundle bundle = read(message, hub);
  const auto outside = Envelope::read(message);
  std::vector<Frame> rest;
  bool data = false;
  for (const Frame& frame : bundle.frames) {
    if (const auto* segment = std::get_if<SegmentFrame>(&frame)) {
      data = true;
      check_segment(from, segment->bytes, secrets_.at(outside->sender).key());
      continue;
    }
    if (std::holds_alternative<HeadFrame>(frame)) data = true;
    rest.push_back(frame);
    const auto* carried = std::get_if<DeedFrame>(&frame);
    if (carried == nullptr) continue;
    if (data) throw Broken(Promise::kErased, "a deed travels behind heads or segments");
    const auto deed = read_deed(carried->deed);
    if (!deed) throw Broken("a school says a deed that cannot be read: " + deed.error().sentence());
    if (deed->issuer != "school:" + from.urn) throw Broken("a school speaks for " + deed->issuer);
    if (deed->kind == DeedKind::kReceipt)
      if (const auto receipt = ReceiptPaper::read(deed->body)) receipts_[from.urn].insert(receipt->about);
    if (deed->kind != DeedKind::kOrder) continue;
    const auto order = OrderPaper::read(deed->body);
    if (!order) throw Broken("an order cannot be read: " + order.error().sentence());
    auto& all = orders_[from.urn];
    if (std::none_of(all.begin(), all.end(), [&](const Ordered& o) { return o.id == deed->id; }))
      all.push_back({deed->id, *order, lives_[from.urn]});
  }
  const auto bytes = encode_frames(rest);
  if (!bytes) throw Broken(Promise::kPrivate, "frames that were read cannot be written");
  check_telling(text_of(*bytes), {}, "a frame beside the segments");
}

void Witness::check_segment(const Leaving& from, ByteView bytes, const PartyKey& key) {
  const auto opened = open_segment(bytes);
  if (!opened)
    throw Broken(Promise::kPrivate, "a school sends what is no segment: " + opened.error().sentence());
  const SegmentHeader& header = opened->header;
  const std::string where = "segment " + text(header.epoch, header.seq);
  // Whose audience is it? Only what its people have approved, today.
  const Paper* paper = nullptr;
  std::string audience;
  for (const auto& [name, decision] : from.decisions.by_audience)
    if (stream_id(from.urn, name) == header.stream) {
      audience = name;
      paper = from.decisions.in_force(name, from.today);
    }
  if (paper == nullptr)
    throw Broken(Promise::kPrivate, where + " leaves for " +
                                        (audience.empty() ? "nobody knows whom" : audience) +
                                        ", and no agreement for it is in force");
  // (A machine that was set back may still have what it signed with a key that it no longer uses.)
  if (paper->federal() && !signed_by(*opened, {&key, 1}) &&
      std::none_of(secrets_.begin(), secrets_.end(), [&](const auto& one) {
        const PartyKey other = one.second.key();
        return signed_by(*opened, {&other, 1});
      }))
    throw Broken(Promise::kPrivate, where + " for " + audience + " is not signed by the school");
  Segment kept;
  kept.stream = header.stream;
  kept.epoch = header.epoch;
  kept.seq = header.seq;
  kept.reference = header.reference.has_value();
  kept.previous = header.previous;
  kept.sealed.assign(bytes.begin(), bytes.end());
  const auto before = segments_.find(header.previous);
  if (before != segments_.end()) kept.numbers = before->second.numbers;
  ByteView prefix;
  if (header.reference) {
    Hash256 reference = header.previous;
    for (std::uint64_t n = header.seq.number - header.reference->number; n > 1; --n)
      if (const auto at = segments_.find(reference); at != segments_.end()) reference = at->second.previous;
    const auto found = segments_.find(reference);
    if (found == segments_.end())
      throw Broken(Promise::kPrivate, where + " refers to one that has never left the school");
    prefix = found->second.content;
  }
  auto content = unpack_segment(*opened, prefix);
  if (!content) throw Broken(Promise::kPrivate, where + " cannot be unpacked: " + content.error().sentence());

  const Oracle oracle(from.rows, from.decisions, from.today);
  const bool sealed_before = segments_.contains(opened->hash) || sealed_.contains(opened->hash);
  for (const std::uint32_t number : words_in(text_of(*content))) {
    const Word& word = words_.of(number);
    // (Whoever has left the scope since it was sealed is recalled later; sealed segments stay as they are.)
    if (word.school != from.urn ||
        !(sealed_before ? oracle.may_lie(*paper, word, false) : oracle.may_leave(*paper, word)))
      throw Broken(Promise::kPrivate, where + " for " + audience + " holds " + words_.whose(number));
  }
  ContentReader reader(*content);
  Block block;
  const auto& all = Declared::here().datasets();
  for (;;) {
    const auto more = reader.next(block);
    if (!more) throw Broken(Promise::kPrivate, where + " cannot be read: " + more.error().sentence());
    if (!*more) break;
    const auto dataset =
        std::find_if(all.begin(), all.end(), [&](const DeclaredDataset& d) { return d.id == block.dataset; });
    if (dataset == all.end())
      throw Broken(Promise::kPrivate, where + " speaks of a dataset that no document knows");
    std::vector<const DeclaredField*> fields;
    for (std::size_t i = 0; i < block.fields.size(); ++i) {
      const auto field = std::find_if(dataset->fields.begin(), dataset->fields.end(),
                                      [&](const DeclaredField& f) { return f.id == block.fields[i].id; });
      if (field == dataset->fields.end())
        throw Broken(Promise::kPrivate, where + " has a field that no document knows");
      // (That a value is gone is said by a null.)
      const bool says = std::any_of(block.columns[i].values.begin(), block.columns[i].values.end(),
                                    [](const Value& value) { return !value.is_null(); });
      // (Sealed before, what follows from a field may leave beside it: the field says as much.)
      const bool follows =
          sealed_before && !field->derived_from.empty() &&
          oracle.goes(*paper, *dataset, dataset->fields[dataset->position(field->derived_from)]);
      if (i >= block.key_count && says && !follows && !oracle.goes(*paper, *dataset, *field))
        throw Broken(Promise::kPrivate, where + " for " + audience + " holds " + dataset->name + "." +
                                            field->name + ", which is not in agreement " + paper->id);
      fields.push_back(&*field);
    }
    if (block.operation == Operation::kDelete) continue;
    std::vector<Value> cells(block.fields.size());
    std::unique_ptr<bool[]> changed(new bool[block.fields.size()]);
    for (std::size_t r = 0; r < block.rows; ++r) {
      block.row(r, cells, {changed.get(), block.fields.size()});
      if (block.dataset == kEntities && block.operation == Operation::kInsert) {
        std::string name = "?";
        for (std::size_t i = 0; i < fields.size(); ++i)
          if (fields[i]->form == Form::kUuid && !cells[i].is_null())
            if (const auto known = from.entities.find(hex_uuid(cells[i].as_text()));
                known != from.entities.end())
              name = known->second;
        kept.numbers[cells[0].as_int()] = name;
      }
      for (std::size_t i = 0; i < fields.size(); ++i) {
        if ((fields[i]->form != Form::kEntity && fields[i]->form != Form::kRef) || cells[i].is_null())
          continue;
        const auto who = kept.numbers.find(cells[i].as_int());
        if (who == kept.numbers.end() || !who->second.starts_with("pupil:")) continue;
        if (sealed_before ? oracle.ruled_out(who->second) : !oracle.shown(*paper, who->second))
          throw Broken(Promise::kPrivate, where + " for " + audience + " holds a row of " + dataset->name +
                                              " of " + who->second + ", of whom it may have none");
      }
    }
  }
  kept.content = std::move(*content);
  const auto known = segments_.find(opened->hash);
  kept.life = known == segments_.end() ? lives_[from.urn] : known->second.life;
  if (segments_.insert_or_assign(opened->hash, std::move(kept)).second)
    by_stream_[header.stream].push_back(opened->hash);
}

void Witness::answers(const std::string& urn, ByteView request, ByteView answer, Keyring& hub,
                      const std::map<std::string, std::set<std::string>>& members) {
  if (message_kind(answer) != MessageKind::kBundle) return;
  const auto outside = Envelope::read(answer);
  const auto keys = hub.keys();
  const PartySecret* own = outside ? key_of(*keys, outside->sender) : nullptr;
  const auto school = outside ? secrets_.find(outside->recipient) : secrets_.end();
  if (own == nullptr || school == secrets_.end()) throw Broken("the hub's answer is between nobody known");
  const auto opened = open(answer, school->second, own->key());
  if (!opened) throw Broken("the hub's answer cannot be opened: " + opened.error().sentence());
  bool data = false;
  std::map<DeedId, Deed> said;
  for (const Frame& frame : read(request, hub).frames)
    if (const auto* deed = std::get_if<DeedFrame>(&frame))
      if (auto one = read_deed(deed->deed)) {
        const DeedId id = one->id;
        said.emplace(id, std::move(*one));
      }
  // Refused for good: it need not be kept.
  std::set<std::string> refused;
  for (const Frame& frame : opened->frames)
    if (const auto* problem = std::get_if<ProblemFrame>(&frame))
      refused.insert(problem->keys.begin(), problem->keys.end());
  for (const Frame& frame : opened->frames) {
    if (const auto* done = std::get_if<DeedsTakenFrame>(&frame)) {
      for (const auto& id : done->ids) {
        const auto deed = said.find(DeedId{id});
        if (refused.contains(DeedId{id}.text())) continue;
        taken_[urn].insert(DeedId{id});
        if (deed == said.end() || deed->second.kind != DeedKind::kDecision) continue;
        const auto paper = DecisionPaper::read(deed->second.body);
        if (!paper) continue;
        auto& newest = approved_[{urn, audience_of_[paper->agreement]}];
        if (deed->second.number > newest.first)
          newest = {deed->second.number, paper->what == DecisionPaper::What::kApproved};
      }
    }
    if (std::holds_alternative<PostFrame>(frame) && data)
      throw Broken(Promise::kErased, "post travels behind partners' segments");
    const auto* segment = std::get_if<SegmentFrame>(&frame);
    if (segment == nullptr) continue;
    data = true;
    const auto inside = open_segment(segment->bytes);
    if (!inside) throw Broken("the hub passes on what is no segment: " + inside.error().sentence());
    const auto known = segments_.find(inside->hash);
    if (known == segments_.end() || !same(known->second.sealed, segment->bytes))
      throw Broken(Promise::kPrivate, "the hub passes on a segment that never left a school like that");
    bool may = false;
    std::string of;
    for (const auto& [federation, urns] : members)
      for (const std::string& writer : urns) {
        const std::string audience = "federation:" + federation;
        if (stream_id(writer, audience) != inside->header.stream) continue;
        of = "school " + writer + " for " + audience;
        const auto agrees = [&](const std::string& who) {
          const auto decision = approved_.find({who, audience});
          return decision == approved_.end() || decision->second.second;
        };
        may = writer != urn && urns.contains(urn) && agrees(urn) && agrees(writer);
      }
    if (!may)
      throw Broken(Promise::kPrivate, "the hub passes on to school " + urn + " a segment of " +
                                          (of.empty() ? std::string("a school that is no partner") : of) +
                                          ", where one of the two has withdrawn or left");
  }
}

std::optional<std::string> Witness::lies(StreamId stream, std::string_view bytes,
                                         const std::function<bool(const Segment&)>& forbidden) const {
  constexpr std::size_t kSlice = 24;
  const auto all = by_stream_.find(stream);
  if (all == by_stream_.end()) return std::nullopt;
  for (const Hash256& hash : all->second) {
    const Segment& segment = segments_.at(hash);
    if (!forbidden(segment)) continue;
    // Near its end: its own packed bytes, and no header.
    const std::string_view sealed = text_of(segment.sealed);
    const std::string_view slice = sealed.substr(sealed.size() > kSlice ? sealed.size() - kSlice : 0);
    if (bytes.find(slice) == std::string_view::npos) continue;
    const bool of_another = std::any_of(all->second.begin(), all->second.end(), [&](const Hash256& other) {
      return !forbidden(segments_.at(other)) &&
             text_of(segments_.at(other).sealed).find(slice) != std::string_view::npos;
    });
    if (!of_another) return "segment " + text(segment.epoch, segment.seq);
  }
  return std::nullopt;
}

}  // namespace towpath::sim::fed
