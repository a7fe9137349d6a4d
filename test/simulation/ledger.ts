/**
 * What programs wrote, kept by triggers in the same commits: the oracle's own books, in which nothing is ever forgotten.
 */

/** On the disk of a node, after its tables are there: its journal, and each time a command got its result. */
export const nodeLedger = [
  `CREATE TABLE IF NOT EXISTS sim_journal (at INTEGER PRIMARY KEY, journal TEXT, sequence INTEGER, kind TEXT, entry BLOB)`,
  `CREATE TRIGGER IF NOT EXISTS sim_journal_entry AFTER INSERT ON journal_entries BEGIN
     INSERT INTO sim_journal (journal, sequence, kind, entry) SELECT id, NEW.sequence, NEW.kind, NEW.entry FROM journal;
   END`,
  `CREATE TABLE IF NOT EXISTS sim_results (at INTEGER PRIMARY KEY, command TEXT, result BLOB)`,
  `CREATE TRIGGER IF NOT EXISTS sim_result AFTER UPDATE OF result ON commands BEGIN
     INSERT INTO sim_results (command, result) VALUES (NEW.id, NEW.result);
   END`,
] as const;

/** On the disk of the hub: the events that it took, the commands in the order in which it took them, and each time a command got its result. */
export const hubLedger = [
  `CREATE TABLE IF NOT EXISTS sim_events (at INTEGER PRIMARY KEY, node TEXT, sequence INTEGER, event BLOB)`,
  `CREATE TRIGGER IF NOT EXISTS sim_event AFTER INSERT ON events BEGIN
     INSERT INTO sim_events (node, sequence, event) VALUES (NEW.node_id, NEW.sequence, NEW.event);
   END`,
  `CREATE TABLE IF NOT EXISTS sim_commands (at INTEGER PRIMARY KEY, command TEXT)`,
  `CREATE TRIGGER IF NOT EXISTS sim_command AFTER INSERT ON commands BEGIN
     INSERT INTO sim_commands (command) VALUES (NEW.id);
   END`,
  `CREATE TABLE IF NOT EXISTS sim_results (at INTEGER PRIMARY KEY, command TEXT, result BLOB, expired INTEGER)`,
  `CREATE TRIGGER IF NOT EXISTS sim_result AFTER UPDATE OF result ON commands BEGIN
     INSERT INTO sim_results (command, result, expired) VALUES (NEW.id, NEW.result, NEW.expired);
   END`,
] as const;
