/** Starts the page. */
import "./app/app";
import "./app/shell";
import "./chat/chat-page";
import "./pages/finish-sign-in";
import "./pages/join";
import "./pages/make-vault";
import "./pages/me";
import "./pages/model";
import "./pages/people";
import "./pages/setup";
import "./pages/sign-in";
import "./pages/unlock";
import "./trust/recovery-banner";
import { watchNetwork } from "./app/link";
import { startModel } from "./app/model";
import { followLinks } from "./app/router";
import { startConversations } from "./chat/conversations";
import { startOutbox } from "./chat/outbox";
import { startIdentities } from "./trust/identities";
import { startRecovery } from "./trust/recovery";

followLinks();
watchNetwork();
startModel();
startConversations();
startOutbox();
startIdentities();
startRecovery();
