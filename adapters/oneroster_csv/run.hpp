// One extraction: a package's records into rows, dataset by dataset.
//
// Order: school, pupil (reads roles and demographics first), staff, group (reads
// sessions and courses first), group_membership, enrolment. A dataset one of whose
// files cannot be read is abandoned, as are those that build on it; the others go on.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "adapters/api/adapter.hpp"
#include "adapters/api/source_config.hpp"
#include "adapters/oneroster_csv/bundle.hpp"
#include "adapters/oneroster_csv/people.hpp"

namespace towpath::oneroster {

class Run {
 public:
  Run(const SourceConfig& config, const AdapterContext& context, FileSet files, RowSink& sink);
  [[nodiscard]] Result<void> extract();

 private:
  struct Session {
    Date start, end;
    bool school_year = false;
    Fingerprint print = 0;
  };
  struct Course {
    std::string subject;      // its subject, or its title
    std::string school_year;  // a session's id
    Fingerprint print = 0;
  };
  struct Class {
    bool ours = false;
    bool fault = false;              // its row could not be made
    std::optional<Date> start, end;  // of its terms
  };
  struct StringHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  template <class T>
  using ById = std::unordered_map<std::string, T, StringHash, std::equal_to<>>;

  // A dataset's row under construction.
  class Row {
   public:
    Row(const AdapterContext& context, std::string_view dataset);
    Row& set(std::string_view field, InCell cell);
    Row& text(std::string_view field, std::string_view text) {
      return text.empty() ? *this : set(field, InCell::of(text));
    }
    void clear();
    [[nodiscard]] std::span<const InCell> cells() const { return cells_; }
    [[nodiscard]] std::span<const InCell> key() const { return std::span(cells_).first(dataset_.key_count); }
    [[nodiscard]] const Dataset& dataset() const { return dataset_; }

   private:
    const Dataset& dataset_;
    std::vector<InCell> cells_;
  };

  [[nodiscard]] Result<void> choose_school();
  [[nodiscard]] Result<void> read_school();
  [[nodiscard]] Result<void> read_pupils();
  [[nodiscard]] Result<void> read_staff();
  [[nodiscard]] Result<void> read_groups();
  [[nodiscard]] Result<void> read_memberships();
  [[nodiscard]] Result<void> read_enrolments();

  [[nodiscard]] Result<bool> read_roles(const Dataset& pupils);
  [[nodiscard]] Result<bool> read_demographics(const Dataset& pupils);
  [[nodiscard]] Result<bool> read_sessions(const Dataset& groups);
  [[nodiscard]] Result<bool> read_courses(const Dataset& groups);
  void settle_people_files();

  // What a user is to our school; `why` where it is nothing, or not sure.
  struct Standing {
    Part part = Part::kNone;
    const Role* role = nullptr;
    std::string_view ignored;        // reason, if ignored
    std::optional<Problem> problem;  // reason, if rejected
  };
  [[nodiscard]] Standing standing(const Record& user, Person* person);
  [[nodiscard]] Result<void> pupil_row(const Record& user, Person& person, Row& row);

  // The first of these datasets' files that failed, or null.
  [[nodiscard]] const Error* first_failed(std::initializer_list<Kind> kinds) const;
  void abandon(std::string_view dataset, const Error& why);
  [[nodiscard]] bool gone(std::string_view status) const;
  [[nodiscard]] Completeness completeness(Kind kind) const;
  [[nodiscard]] InCell ref(std::string_view id, std::string_view dataset) const;
  [[nodiscard]] const Dataset* dataset(std::string_view name) const;
  [[nodiscard]] std::optional<Date> school_year_start() const;

  const SourceConfig& config_;
  const AdapterContext& context_;
  std::string id_space_;
  Fingerprint seed_;
  Bundle bundle_;
  std::string org_;  // our school's sourcedId; empty: there is only one, unnamed
  bool several_schools_ = false;
  People people_;
  ById<Session> sessions_;
  ById<Course> courses_;
  ById<Class> classes_;
  bool role_holes_ = false;  // records that could not even be attributed to a user
  bool demographics_holes_ = false;
  bool race_told_ = false;  // some record has a race column filled
  bool user_holes_ = false;
  bool class_holes_ = false;
  bool session_holes_ = false;
  bool course_holes_ = false;
  std::optional<Error> pupils_left_, staff_left_, groups_left_;
  std::vector<bool> staff_records_;  // of users.csv: those whose fate read_staff() gives
};

}  // namespace towpath::oneroster
