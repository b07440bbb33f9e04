#include "hub/cli/sharing_verbs.hpp"

#include "agreement/agreement.hpp"

namespace towpath::hub_cli {

struct SharingVerbs::Words {
  CLI::App *agreement_add, *agreement_list, *agreement_show;
  CLI::App *federation_add, *federation_list, *federation_join, *federation_leave, *federation_status;
  CLI::App *receipt_list, *receipt_verify;
  CLI::App *audit_show, *audit_verify;
  std::string file, id, name, urn, head;
  std::optional<std::uint32_t> version;
  std::vector<std::string> urns;
  std::optional<Result<std::string>> text;
};

SharingVerbs::~SharingVerbs() = default;

SharingVerbs::SharingVerbs(CLI::App& app) : words_(std::make_unique<Words>()) {
  Words& w = *words_;
  auto* agreement = app.add_subcommand("agreement", "What schools are offered to approve");
  agreement->require_subcommand(1);
  w.agreement_add = agreement->add_subcommand(
      "add", "Check an agreement, and offer it to its schools; config/agreement.example.toml explains one");
  w.agreement_add->add_option("FILE", w.file, "The agreement, TOML")->required();
  w.agreement_list = agreement->add_subcommand("list", "Show them, and who has approved");
  w.agreement_show = agreement->add_subcommand("show", "One of them, with its text");
  w.agreement_show->add_option("ID", w.id, "Its id")->required();
  w.agreement_show->add_option("--version", w.version, "An earlier version")->type_name("N");

  auto* federation = app.add_subcommand("federation", "Schools that share as one");
  federation->require_subcommand(1);
  w.federation_add = federation->add_subcommand("add", "Make a federation");
  w.federation_add->add_option("ID", w.id, "Small letters, digits and dashes; agreements name it")
      ->required();
  w.federation_add->add_option("--name", w.name, "Its name, for people")->required();
  w.federation_add->add_option("--member", w.urns, "A school; any number of them")->type_name("URN...");
  w.federation_list = federation->add_subcommand("list", "Show them, and their members");
  w.federation_join = federation->add_subcommand("join", "A school comes in");
  w.federation_leave =
      federation->add_subcommand("leave", "A school goes out: everybody is ordered to remove what they hold");
  for (CLI::App* verb : {w.federation_join, w.federation_leave}) {
    verb->add_option("ID", w.id, "The federation")->required();
    verb->add_option("URN", w.urn, "The school")->required();
  }
  w.federation_status = federation->add_subcommand(
      "status", "How far partners' data are with whom, and what has yet to be approved, removed or renewed");
  w.federation_status->add_option("ID", w.id, "One federation only");

  auto* receipt = app.add_subcommand("receipt", "Orders to remove data, and who has carried them out");
  receipt->require_subcommand(1);
  w.receipt_list = receipt->add_subcommand("list", "Show them");
  w.receipt_verify = receipt->add_subcommand("verify", "Check the signature of each");

  auto* audit = app.add_subcommand("audit", "What was decided and done with personal data");
  audit->require_subcommand(1);
  w.audit_show = audit->add_subcommand("show", "Every entry");
  w.audit_verify = audit->add_subcommand("verify", "Check that no entry was changed, removed or put in");
  w.audit_verify->add_option("--head", w.head, "What an earlier verify said: nothing may be cut off since")
      ->type_name("NUMBER:HASH");
}

void SharingVerbs::read_files() {
  if (*words_->agreement_add) words_->text = platform::read_file(words_->file, kAgreementBytesMax);
}

std::optional<int> SharingVerbs::run(const Command& command) {
  const Words& w = *words_;
  if (*w.agreement_add) return agreement_add(command, w.file, *w.text);
  if (*w.agreement_list) return agreement_list(command);
  if (*w.agreement_show) return agreement_show(command, w.id, w.version);
  if (*w.federation_add) return federation_add(command, w.id, w.name, w.urns);
  if (*w.federation_list) return federation_list(command);
  if (*w.federation_join) return federation_join(command, w.id, w.urn);
  if (*w.federation_leave) return federation_leave(command, w.id, w.urn);
  if (*w.federation_status) return federation_status(command, w.id);
  if (*w.receipt_list) return receipt_list(command);
  if (*w.receipt_verify) return receipt_verify(command);
  if (*w.audit_show) return audit_show(command);
  if (*w.audit_verify) return audit_verify(command, w.head);
  return std::nullopt;
}

}  // namespace towpath::hub_cli
