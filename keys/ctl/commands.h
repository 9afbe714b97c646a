#ifndef KEYS_CTL_COMMANDS_H
#define KEYS_CTL_COMMANDS_H

/* Subcommands of `pmhgw`. argv[0] is the name of the subcommand. They return the exit status:
 * 0 done, 1 done and something is wrong with what was looked at, 2 could not be done. */

int cmd_up(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_inquire(int argc, char **argv);
int cmd_tasks(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_lookup(int argc, char **argv);
int cmd_citizen(int argc, char **argv);
int cmd_audit(int argc, char **argv);
int cmd_keys(int argc, char **argv);
int cmd_certs(int argc, char **argv);
int cmd_certificate(int argc, char **argv);
int cmd_why(int argc, char **argv);
int cmd_basis(int argc, char **argv);
int cmd_erase(int argc, char **argv);
int cmd_staff(int argc, char **argv);
int cmd_leaks(int argc, char **argv);
int cmd_vaccination(int argc, char **argv);
int cmd_notices(int argc, char **argv);
int cmd_vrs(int argc, char **argv);
int cmd_claims(int argc, char **argv);
int cmd_reconcile(int argc, char **argv);
int cmd_reload(int argc, char **argv);
int cmd_upgrade(int argc, char **argv);
int cmd_config(int argc, char **argv);
int cmd_metrics(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_init(int argc, char **argv);
int cmd_backup(int argc, char **argv);
int cmd_backup_key(int argc, char **argv);
int cmd_restore(int argc, char **argv);
int cmd_help(int argc, char **argv);
int cmd_completion(int argc, char **argv);
int cmd_man(int argc, char **argv);
int cmd_complete(int argc, char **argv);

#endif
