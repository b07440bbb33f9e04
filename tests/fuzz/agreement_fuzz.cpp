// Hostile agreements: read whole, or refused with faults that are fit to be shown.
#include "agreement/agreement.hpp"
#include "agreement/papers.hpp"
#include "check.hpp"

using namespace towpath;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Dictionary& dictionary = built_in_dictionary();
  const AgreementRead read = read_agreement(text, dictionary);
  FUZZ_CHECK(read.agreement.has_value() == read.faults.empty());
  FUZZ_CHECK(read.faults.size() <= 50);
  const auto lines = static_cast<unsigned>(std::count(text.begin(), text.end(), '\n') + 1);
  for (const AgreementFault& fault : read.faults) {
    fuzz::harmless(fault.text);
    FUZZ_CHECK(!fault.text.empty() && fault.text.size() < 2000);
    FUZZ_CHECK(fault.line <= lines);
  }
  if (!read.agreement) return 0;
  const Agreement& a = *read.agreement;
  // What a school is shown and what is in force is this and no more.
  for (const std::string* s :
       {&a.title, &a.purpose, &a.lawful_basis, &a.special_basis, &a.text_reference, &a.onward_sharing,
        &a.disposal, &a.subject_rights_contact, &a.breach_contact, &a.frequency, &a.method})
    fuzz::harmless(*s);
  FUZZ_CHECK(a.start <= a.end && a.version > 0 && !a.grants.empty() && !a.parties.empty());
  for (const std::string& name : a.grants) {
    const GrantRight* right = dictionary.grant(name);
    FUZZ_CHECK(right != nullptr && (a.is_federation() ? right->federation : right->borough));
    FUZZ_CHECK(!right->named_role || !a.named_roles.empty());
  }
  for (const auto& [dataset, years] : a.retention_years) FUZZ_CHECK(dictionary.find(dataset) && years >= 0);
  const auto paper = AgreementPaper::read(AgreementPaper{std::string(text)}.encode());
  FUZZ_CHECK(paper && paper->text == text);
  return 0;
}
