#!/usr/bin/env bash
# Makes the app in Entra by which Postrider sends from one mailbox, by the Azure CLI, and says the values that Postrider needs.
#
#   az login --allow-no-subscriptions && deploy/entra/setup.sh sales@reseller.example [whole-directory]
#
# Run again, it makes nothing twice, but for the client secret. By default the right to send is given in Exchange Online for this
# mailbox alone (RBAC for Applications). Exchange has no command line but PowerShell: its four commands are printed at the end,
# and deploy/entra/setup.ps1 does all in one. With `whole-directory`, Mail.Send is granted in Entra with consent, for every mailbox.
# The rights add up, so that for one mailbox an earlier consent is taken back.
set -euo pipefail

mailbox=${1:?say the sender mailbox, such as sales@reseller.example}
access=${2:-one-mailbox}
name=${APP_NAME:-Postrider}
months=${SECRET_MONTHS:-12}
[[ $mailbox =~ ^[^@\'[:space:]]+@[^@\'[:space:]]+$ ]] || { echo "$mailbox is no address" >&2; exit 2; }
[[ $access == one-mailbox || $access == whole-directory ]] || { echo "$access is neither one-mailbox nor whole-directory" >&2; exit 2; }

# Microsoft Graph and its application permission Mail.Send: the same in every directory.
graph_app_id=00000003-0000-0000-c000-000000000000
mail_send=b633e1c5-b582-4048-a93e-9f11b44c7e96

directory=$(az account show --query tenantId --output tsv)

# The app, and what stands for it in this directory: the enterprise application.
client_id=$(az ad app list --filter "displayName eq '${name//\'/\'\'}'" --query '[].appId' --output tsv)
case $(wc -w <<<"$client_id") in
  0) client_id=$(az ad app create --display-name "$name" --sign-in-audience AzureADMyOrg --query appId --output tsv) ;;
  1) ;;
  *) echo "there are several apps called $name: choose another name by APP_NAME" >&2; exit 1 ;;
esac
object_id=$(az ad sp list --filter "appId eq '$client_id'" --query '[0].id' --output tsv)
[[ -n $object_id ]] || object_id=$(az ad sp create --id "$client_id" --query id --output tsv)

if [[ $access == whole-directory ]]; then
  az ad app permission add --id "$client_id" --api "$graph_app_id" --api-permissions "$mail_send=Role"
  az ad app permission admin-consent --id "$client_id"
else
  assignments=https://graph.microsoft.com/v1.0/servicePrincipals/$object_id/appRoleAssignments
  consents=$(az rest --url "$assignments" --query "value[?appRoleId=='$mail_send'].id" --output tsv)
  for consent in $consents; do
    az rest --method delete --url "$assignments/$consent"
  done
  [[ -z $consents ]] ||
    echo "The consent to Mail.Send for the whole directory was taken back. Mail may be held until the scope in Exchange works." >&2
fi

secret=$(az ad app credential reset --id "$client_id" --append --display-name Postrider \
  --end-date "$(date -u -d "+$months months" +%Y-%m-%dT%H:%M:%SZ)" --query password --output tsv)

cat <<END

Enter these in the panel, or give them to whoever runs Postrider. The secret is shown this once.

  Directory ID             $directory
  Application (client) ID  $client_id
  Client secret (Value)    $secret
  It expires               $(date -u -d "+$months months" +%Y-%m-%d)
  Sender mailbox           $mailbox
END

if [[ $access == one-mailbox ]]; then
  cat <<END

Now give the right to send, in PowerShell, as an Exchange administrator. It works after 30 minutes to 2 hours.

  Connect-ExchangeOnline
  New-ServicePrincipal -AppId $client_id -ObjectId $object_id -DisplayName "$name"
  New-ManagementScope -Name "$name $mailbox" -RecipientRestrictionFilter "UserPrincipalName -eq '$mailbox'"
  New-ManagementRoleAssignment -App $object_id -Role "Application Mail.Send" -CustomResourceScope "$name $mailbox"
  Test-ServicePrincipalAuthorization -Identity $object_id -Resource $mailbox
END
fi
