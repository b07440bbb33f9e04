// What the classes of this folder share: statements, deeds and keys, in the caller's transaction and
// under the books' mutex. Private to hub/federation.
#pragma once

#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agreement/deed.hpp"
#include "agreement/papers.hpp"
#include "core/result.hpp"
#include "sqlite/database.hpp"
#include "trust/keys.hpp"

namespace towpath::rows {

using Parameter = std::variant<std::nullptr_t, std::int64_t, std::string, Bytes>;
[[nodiscard]] Result<void> run(Database& db, const char* sql,
                               std::initializer_list<Parameter> parameters = {});
[[nodiscard]] Result<void> each(Database& db, const char* sql, std::initializer_list<Parameter> parameters,
                                const std::function<void(Statement::Use&)>& row);
[[nodiscard]] Result<std::int64_t> count(Database& db, const char* sql,
                                         std::initializer_list<Parameter> parameters = {});

[[nodiscard]] inline std::int64_t ms(Instant at) { return std::int64_t{at.time_since_epoch().count()}; }
[[nodiscard]] inline Instant instant(std::int64_t at) { return Instant{std::chrono::milliseconds{at}}; }
[[nodiscard]] inline Bytes blob(const DeedId& id) { return {id.bytes.begin(), id.bytes.end()}; }
[[nodiscard]] inline Bytes blob(const Hash256& hash) { return {hash.bytes.begin(), hash.bytes.end()}; }
[[nodiscard]] DeedId deed_id(ByteView blob);
[[nodiscard]] Hash256 hash_from(ByteView blob);
[[nodiscard]] inline std::string school(const std::string& urn) { return "school:" + urn; }
// "100001" of "school:100001"; empty for the hub.
[[nodiscard]] std::string urn_of(std::string_view issuer);
[[nodiscard]] inline std::string audience_of(const std::string& federation) {
  return std::string(kFederationPrefix) + federation;
}

// The hub's own deed, signed and kept.
[[nodiscard]] Result<Deed> hub_deed(Database& db, const PartySecret& hub, DeedKind kind, Bytes body,
                                    Instant now, const std::optional<DeedId>& about = {});
[[nodiscard]] Result<void> keep(Database& db, const Deed& deed, const std::optional<DeedId>& about,
                                Instant now);
[[nodiscard]] Result<std::optional<Deed>> find_deed(Database& db, const DeedId& id);
// At the end of the school's post, if it is not there already.
[[nodiscard]] Result<void> post(Database& db, const std::string& urn, const DeedId& deed);
// The school's current key, then those that it replaced by its own word; none: not enrolled, or revoked.
[[nodiscard]] Result<std::vector<PartyKey>> keys_of(Database& db, const std::string& urn);
[[nodiscard]] Result<std::vector<std::string>> members(Database& db, const std::string& federation);
[[nodiscard]] Result<void> audit(Database& db, Instant now, std::string_view kind, const std::string& what);

}  // namespace towpath::rows
